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
  readonly at: Date
  /** Seconds from `at`, at most a week. */
  readonly ttlSeconds: number
  readonly region: string
  /** Also says in the address that the body is not signed, as the AWS SDK does. */
  readonly namesPayload: boolean
}

/**
 * The address that makes the request good until its time is up, by AWS Signature Version 4 for S3 with an unsigned payload.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
 */
export const presign = (request: RequestToPresign, credentials: S3Credentials): string => {
  const { method, origin, host, path, region } = request
  const stamp = stampOf(request.at)
  const day = stamp.slice(0, 8)
  const { scope, credential, key } = signerOf(credentials, day, region)
  const { lines, names } = canonicalHeaders(host, request.headers)
  const query = canonicalQuery(request, { stamp, credential, names, sessionToken: credentials.sessionToken })
  const canonical = `${method}\n${path}\n${query}\n${lines}\n${names}\nUNSIGNED-PAYLOAD`
  const toSign = `AWS4-HMAC-SHA256\n${stamp}\n${scope}\n${hash('sha256', canonical, 'hex')}`
  const signature = createHmac('sha256', key).update(toSign).digest('hex')
  return `${origin}${path}?${query}&X-Amz-Signature=${signature}`
}

/** `20130524T000000Z`: whole seconds, so that a signature begins up to one before `at`. */
const stampOf = (at: Date): string => {
  const iso = at.toISOString()
  return `${iso.slice(0, 4)}${iso.slice(5, 7)}${iso.slice(8, 13)}${iso.slice(14, 16)}${iso.slice(17, 19)}Z`
}

const canonicalHeaders = (host: string, headers: Readonly<Record<string, string>>): { lines: string; names: string } => {
  const named = Object.keys(headers).concat('host').sort()
  let lines = ''
  for (const name of named) lines += `${name}:${name === 'host' ? host : trimmed(headers[name] ?? '')}\n`
  return { lines, names: named.join(';') }
}

const trimmed = (value: string): string => (/^\s|\s$|\s\s/.test(value) ? value.trim().replace(/\s+/g, ' ') : value)

/** Sorted by bytes: what signing adds begins with a capital, and so stands before what the request brings. */
const canonicalQuery = (
  { query, ttlSeconds, namesPayload }: RequestToPresign,
  made: { readonly stamp: string; readonly credential: string; readonly names: string; readonly sessionToken: string | undefined },
): string => {
  let text = 'X-Amz-Algorithm=AWS4-HMAC-SHA256'
  if (namesPayload) text += '&X-Amz-Content-Sha256=UNSIGNED-PAYLOAD'
  text += `&X-Amz-Credential=${made.credential}&X-Amz-Date=${made.stamp}&X-Amz-Expires=${ttlSeconds}`
  if (made.sessionToken !== undefined) text += `&X-Amz-Security-Token=${encodeText(made.sessionToken)}`
  text += `&X-Amz-SignedHeaders=${made.names.replaceAll(';', '%3B')}`
  for (const name of Object.keys(query).sort()) text += `&${encodeText(name)}=${encodeText(query[name] ?? '')}`
  return text
}

/** What one pair of keys signs with in one region on one day. */
interface DaySigner {
  readonly keyId: string
  readonly secret: string
  readonly day: string
  readonly region: string
  readonly scope: string
  /** Encoded, for a query. */
  readonly credential: string
  /** Made ready for OpenSSL once: handing it the bytes each time costs more than all the rest of a signature. */
  readonly key: KeyObject
}

/** The last ones made: a process signs with few credentials, and for one day at a time. */
const kept: DaySigner[] = []
const keptAtMost = 16

const signerOf = ({ accessKeyId, secretAccessKey }: S3Credentials, day: string, region: string): DaySigner => {
  for (const one of kept)
    if (one.day === day && one.keyId === accessKeyId && one.secret === secretAccessKey && one.region === region) return one
  const scope = `${day}/${region}/s3/aws4_request`
  const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest()
  const key = createSecretKey(hmac(hmac(hmac(hmac(`AWS4${secretAccessKey}`, day), region), 's3'), 'aws4_request'))
  const made = { keyId: accessKeyId, secret: secretAccessKey, day, region, scope, credential: encodeText(`${accessKeyId}/${scope}`), key }
  kept.unshift(made)
  kept.length = Math.min(kept.length, keptAtMost)
  return made
}
