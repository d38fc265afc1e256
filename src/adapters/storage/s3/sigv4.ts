import { createHmac, createSecretKey, hash, type KeyObject } from 'node:crypto'
import { encodeText } from './address.ts'
import type { S3Credentials } from './options.ts'

/** A request that somebody else will send. */
export interface RequestToPresign {
  readonly method: 'GET' | 'PUT'
  /** `https://host` */
  readonly origin: string
  readonly host: string
  /** Encoded already. */
  readonly path: string
  /** Names that begin with a lower-case letter; values as they are. */
  readonly query: Readonly<Record<string, string>>
  /** Lower-case names; whoever sends the request must send exactly these. `host` is signed without being named. */
  readonly headers: Readonly<Record<string, string>>
  /**
   * Signed by their names alone: whoever sends the request must leave them out. For servers that skip what is signed and does not come, and
   * for no others: those refuse the request.
   */
  readonly absentHeaders?: readonly string[]
  /** Its second counts, not its milliseconds. */
  readonly at: Date
  /** Seconds from `at`, at most a week. */
  readonly ttlSeconds: number
  readonly region: string
}

/**
 * The address that makes the request good until its time is up, by AWS Signature Version 4 for S3 with an unsigned payload, which it says as
 * the AWS SDK does.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
 */
export const presign = (request: RequestToPresign, credentials: S3Credentials): string => {
  const { method, origin, host, path } = request
  const signing = signingOf(request, credentials)
  const { lines, names, encodedNames } = canonicalHeaders(host, request)
  const query = canonicalQuery(request, { ...signing, encodedNames, sessionToken: credentials.sessionToken })
  const canonical = `${method}\n${path}\n${query}\n${lines}\n${names}\nUNSIGNED-PAYLOAD`
  return `${origin}${path}?${query}&X-Amz-Signature=${signatureOf(canonical, signing)}`
}

/** Who signs, and when. */
interface Signing {
  readonly signer: DaySigner
  /** `20130524T000000Z` */
  readonly stamp: string
}

export const signingOf = ({ at, region }: Pick<RequestToPresign, 'at' | 'region'>, credentials: S3Credentials): Signing => {
  const seconds = Math.floor(at.getTime() / 1000)
  const signer = signerOf(credentials, Math.floor(seconds / daySeconds), region)
  return { signer, stamp: `${signer.day}T${timeOf(seconds % daySeconds)}Z` }
}

/** In hexadecimal, of a request in its canonical form. */
export const signatureOf = (canonical: string, { signer, stamp }: Signing): string => {
  const toSign = `AWS4-HMAC-SHA256\n${stamp}\n${signer.scope}\n${hash('sha256', canonical, 'hex')}`
  return createHmac('sha256', signer.key).update(toSign).digest('hex')
}

const daySeconds = 86_400
const twoDigits = Array.from({ length: 60 }, (_, number) => String(number).padStart(2, '0'))
const timeOf = (seconds: number): string =>
  `${twoDigits[Math.floor(seconds / 3600)]}${twoDigits[Math.floor(seconds / 60) % 60]}${twoDigits[seconds % 60]}`

/** `host` at its place among the others, by name. */
const canonicalHeaders = (host: string, { headers, absentHeaders }: Pick<RequestToPresign, 'headers' | 'absentHeaders'>) => {
  const named = Object.keys(headers)
  named.push('host')
  if (absentHeaders) named.push(...absentHeaders)
  named.sort()
  let lines = ''
  let names = ''
  let encodedNames = ''
  for (const name of named) {
    const value = name === 'host' ? host : headers[name]
    if (value !== undefined) lines += `${name}:${trimmed(value)}\n`
    names += names === '' ? name : `;${name}`
    encodedNames += encodedNames === '' ? name : `%3B${name}`
  }
  return { lines, names, encodedNames }
}

const trimmed = (value: string): string => (/^\s|\s$|\s\s/.test(value) ? value.trim().replace(/\s+/g, ' ') : value)

/** Sorted by bytes: what signing adds begins with a capital, and so stands before what the request brings. */
const canonicalQuery = (
  { query, ttlSeconds }: RequestToPresign,
  made: Signing & { readonly encodedNames: string; readonly sessionToken: string | undefined },
): string => {
  let text = 'X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Content-Sha256=UNSIGNED-PAYLOAD'
  text += `&X-Amz-Credential=${made.signer.credential}&X-Amz-Date=${made.stamp}&X-Amz-Expires=${ttlSeconds}`
  if (made.sessionToken !== undefined) text += `&X-Amz-Security-Token=${encodeText(made.sessionToken)}`
  text += `&X-Amz-SignedHeaders=${made.encodedNames}`
  for (const name of Object.keys(query).sort()) text += `&${encodeText(name)}=${encodeText(query[name] ?? '')}`
  return text
}

/** What one pair of keys signs with in one region on one day. */
interface DaySigner {
  readonly keyId: string
  readonly secret: string
  readonly region: string
  /** Since 1970. */
  readonly dayNumber: number
  /** `20130524` */
  readonly day: string
  readonly scope: string
  /** Encoded, for a query. */
  readonly credential: string
  /** Made ready for OpenSSL once: handing it the bytes each time costs more than all the rest of a signature. */
  readonly key: KeyObject
}

/** The last ones made: a process signs with few credentials, and for one day at a time. */
const kept: DaySigner[] = []
const keptAtMost = 16

const signerOf = ({ accessKeyId, secretAccessKey }: S3Credentials, dayNumber: number, region: string): DaySigner => {
  for (const one of kept)
    if (one.dayNumber === dayNumber && one.keyId === accessKeyId && one.secret === secretAccessKey && one.region === region) return one
  const day = new Date(dayNumber * daySeconds * 1000).toISOString().slice(0, 10).replaceAll('-', '')
  const scope = `${day}/${region}/s3/aws4_request`
  const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest()
  const key = createSecretKey(hmac(hmac(hmac(hmac(`AWS4${secretAccessKey}`, day), region), 's3'), 'aws4_request'))
  const credential = encodeText(`${accessKeyId}/${scope}`)
  const made = { keyId: accessKeyId, secret: secretAccessKey, region, dayNumber, day, scope, credential, key }
  kept.unshift(made)
  kept.length = Math.min(kept.length, keptAtMost)
  return made
}
