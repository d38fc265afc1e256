import { presign } from '../../src/adapters/storage/s3/sigv4.ts'
import type { SignedRequest } from '../../src/core/ports/storage.ts'
import type { Random } from '../harness.ts'
import { keyOf, otherDate, otherPath, otherSignature, parameter, withKey, withParameters } from './presigned.ts'
import type { WireRequest } from './wire.ts'

/** A ticket, and the bytes it was given out for. */
export interface Given {
  readonly ticket: SignedRequest
  readonly bytes: Uint8Array
}

export interface Session extends Given {
  readonly sessionId: string
}

/** Was given out, and is good for nothing any more. */
export interface Spent extends Given {
  readonly why: string
  readonly expected: readonly number[]
}

/** What is genuine: tickets that are good now, tickets that were, and addresses of what somebody might want to reach. */
export interface Genuine {
  readonly put: Session
  readonly part: Session
  readonly get: Given
  readonly spent: readonly Spent[]
  /** Another upload in parts that is open, whose tickets are not these. */
  readonly otherUploadId: string
  /** Paths of objects that are there, and of one that is awaited. */
  readonly paths: readonly string[]
  readonly region: string
  readonly accessKeyId: string
}

export interface Attempt {
  readonly what: string
  readonly request: WireRequest
  /** What the server has to answer. */
  readonly expected: readonly number[]
}

export type Attack = (genuine: Genuine, random: Random) => Attempt

const refused = [403]
/** Some is too broken to be judged as a signature. */
const refusedOrMalformed = [400, 403]
const nothing = new Uint8Array(0)

const use = ({ ticket, bytes }: Given, change: Partial<WireRequest> = {}): WireRequest => ({
  method: ticket.method,
  url: ticket.url,
  headers: ticket.headers,
  body: ticket.method === 'PUT' ? bytes : nothing,
  ...change,
})

const nameOf = ({ ticket }: Given): string =>
  ticket.method === 'GET' ? 'a GET ticket' : parameter(ticket.url, 'uploadId') === '' ? 'a PUT ticket' : "a part's ticket"

const any = ({ put, part, get }: Genuine, random: Random): Given => random.pick([put, put, part, get])
const writing = ({ put, part }: Genuine, random: Random): Given => random.pick([put, put, part])

const spent: Attack = (genuine, random) => {
  const given = random.pick(genuine.spent)
  return { what: `${nameOf(given)} ${given.why}`, request: use(given), expected: given.expected }
}

const without = (headers: Readonly<Record<string, string>>, name: string): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).filter(([one]) => one !== name))

const missingHeader: Attack = ({ put }, random) => {
  const name = random.pick(Object.keys(put.ticket.headers).filter((one) => one !== 'content-length'))
  return { what: `a PUT without ${name}`, request: use(put, { headers: without(put.ticket.headers, name) }), expected: refused }
}

const missingLength: Attack = (genuine, random) => {
  const given = writing(genuine, random)
  const headers = without(given.ticket.headers, 'content-length')
  const chunk = Buffer.concat([Buffer.from(`${given.bytes.length.toString(16)}\r\n`), given.bytes, Buffer.from('\r\n0\r\n\r\n')])
  const request = random.chance(0.5)
    ? use(given, { headers, body: nothing })
    : use(given, { headers: { ...headers, 'transfer-encoding': 'chunked' }, body: chunk })
  return { what: `${nameOf(given)} without content-length`, request, expected: [403, 411] }
}

const otherHeader: Attack = ({ put }, random) => {
  const digest = Buffer.from(random.bytes(32)).toString('base64')
  const change = random.pick<Record<string, string>>([
    { 'if-none-match': '"0"' },
    { 'if-none-match': '' },
    { 'x-amz-checksum-sha256': digest },
    { host: 'localhost' },
    { host: `${random.int(256)}.example` },
  ])
  return {
    what: `a PUT with ${JSON.stringify(change)}`,
    request: use(put, { headers: { ...put.ticket.headers, ...change } }),
    expected: refused,
  }
}

/** What would make another request of a PUT, where a server does not ask that it be signed. */
const addedHeader: Attack = (genuine, random) => {
  const given = writing(genuine, random)
  const source = random.pick(genuine.paths)
  const change = random.pick<Record<string, string>>([
    { 'x-amz-copy-source': source },
    { 'x-amz-copy-source': source, 'x-amz-copy-source-range': 'bytes=0-1' },
    { 'x-amz-acl': 'public-read' },
    { 'x-amz-grant-read': 'uri="http://acs.amazonaws.com/groups/global/AllUsers"' },
    { 'x-amz-website-redirect-location': 'https://elsewhere.example' },
    { 'x-amz-tagging': 'a=b' },
    { 'content-encoding': 'gzip' },
    { 'content-disposition': 'inline' },
  ])
  const headers = { ...given.ticket.headers, ...change }
  return { what: `${nameOf(given)} with ${JSON.stringify(change)} added`, request: use(given, { headers }), expected: refused }
}

const otherLength: Attack = (genuine, random) => {
  const given = writing(genuine, random)
  const { length } = given.bytes
  const other = random.pick([0, 1, length - 1, length + 1, length + 1 + random.int(4096), random.int(length)])
  const body = new Uint8Array(other)
  body.set(given.bytes.subarray(0, Math.min(other, length)))
  const headers = { ...given.ticket.headers, 'content-length': String(other) }
  return { what: `${nameOf(given)} with ${other} bytes instead of ${length}`, request: use(given, { headers, body }), expected: refused }
}

const otherType: Attack = ({ put }, random) => {
  const type = random.pick(['text/html', 'image/jpeg', 'image/svg+xml', 'image/pngx', 'image/png; charset=utf-8', 'image/PNG', ''])
  const headers = { ...put.ticket.headers, 'content-type': type }
  return { what: `a PUT of type '${type}'`, request: use(put, { headers }), expected: refused }
}

const otherSignatures: Attack = (genuine, random) => {
  const given = any(genuine, random)
  const another = random.pick([genuine.put, genuine.part, genuine.get].filter((one) => one !== given))
  const signature = otherSignature(parameter(given.ticket.url, 'X-Amz-Signature'), parameter(another.ticket.url, 'X-Amz-Signature'), random)
  const url = withParameters(given.ticket.url, { 'X-Amz-Signature': signature })
  return {
    what: `${nameOf(given)} with the signature '${signature ?? 'none'}'`,
    request: use(given, { url }),
    expected: refusedOrMalformed,
  }
}

const otherKey: Attack = (genuine, random) => {
  const given = any(genuine, random)
  const path = keyOf(given.ticket.url)
  const other = otherPath(
    path,
    genuine.paths.filter((one) => one !== path),
    random,
  )
  return { what: `${nameOf(given)} for ${other}`, request: use(given, { url: withKey(given.ticket.url, other) }), expected: refused }
}

const otherQuery: Attack = (genuine, random) => {
  const given = any(genuine, random)
  const { url } = given.ticket
  const [key, day, region] = parameter(url, 'X-Amz-Credential').split('%2F')
  const scope = (...changed: readonly (string | undefined)[]): string => [...changed, 's3', 'aws4_request'].join('%2F')
  const change = random.pick<Record<string, string | null>>([
    { 'X-Amz-Expires': random.pick(['604800', '1', '86400', '999999999']) },
    { 'X-Amz-Date': otherDate(parameter(url, 'X-Amz-Date'), random) },
    { 'X-Amz-Credential': scope(`${key}x`, day, region) },
    { 'X-Amz-Credential': scope(key, '20200101', region) },
    { 'X-Amz-Credential': scope(key, day, 'eu-west-1') },
    { 'X-Amz-SignedHeaders': given.ticket.method === 'GET' ? 'host%3Brange' : 'host' },
    { 'X-Amz-SignedHeaders': 'content-length%3Bcontent-type%3Bhost' },
    { 'X-Amz-Content-Sha256': '0'.repeat(64) },
    { 'X-Amz-Security-Token': 'token' },
    { 'x-id': random.pick(['DeleteObject', 'CopyObject', 'ListObjects']) },
    { 'x-id': null },
    { tagging: '' },
    { acl: '' },
    { versionId: 'null' },
    { more: String(random.int(100)) },
  ])
  return {
    what: `${nameOf(given)} with ${JSON.stringify(change)} in its query`,
    request: use(given, { url: withParameters(url, change) }),
    expected: refusedOrMalformed,
  }
}

const otherMethod: Attack = (genuine, random) => {
  const given = any(genuine, random)
  const method = random.pick(['GET', 'HEAD', 'DELETE', 'POST', 'PUT'].filter((one) => one !== given.ticket.method))
  const hasBody = method === 'POST' || method === 'PUT'
  const headers = hasBody
    ? { 'content-length': String(given.bytes.length), ...given.ticket.headers }
    : without(given.ticket.headers, 'content-length')
  const request = use(given, { method, headers, body: hasBody ? given.bytes : nothing })
  return { what: `${nameOf(given)} used to ${method}`, request, expected: refused }
}

const otherPart: Attack = (genuine, random) => {
  const { part, put, otherUploadId } = genuine
  const change = random.pick<Record<string, string | null>>([
    { partNumber: String(2 + random.int(9_999)) },
    { partNumber: '0' },
    { partNumber: null },
    { uploadId: otherUploadId },
    { uploadId: null },
    { uploadId: null, partNumber: null },
    { uploadId: null, partNumber: null, 'x-id': 'PutObject' },
  ])
  const changed = {
    what: `a part's ticket with ${JSON.stringify(change)}`,
    request: use(part, { url: withParameters(part.ticket.url, change) }),
  }
  const added = { uploadId: parameter(part.ticket.url, 'uploadId'), partNumber: '1' }
  const turned = { what: 'a PUT ticket used for a part', request: use(put, { url: withParameters(put.ticket.url, added) }) }
  return { ...(random.chance(0.8) ? changed : turned), expected: refused }
}

const otherDelivery: Attack = ({ get }, random) => {
  const { url } = get.ticket
  const disposition = parameter(url, 'response-content-disposition')
  const change = random.pick<Record<string, string | null>>([
    { 'response-content-disposition': disposition.replace(/^[a-z]+/, (word) => (word === 'inline' ? 'attachment' : 'inline')) },
    { 'response-content-disposition': 'inline' },
    { 'response-content-disposition': null },
    { 'response-content-type': 'text%2Fhtml' },
    { 'response-content-type': null },
    { 'response-content-encoding': 'gzip' },
    { 'response-cache-control': 'public' },
    { 'response-expires': '0' },
    { 'X-Amz-Expires': '604800' },
  ])
  return { what: `a GET ticket with ${JSON.stringify(change)}`, request: use(get, { url: withParameters(url, change) }), expected: refused }
}

const brokenOff: Attack = (genuine, random) => {
  const given = writing(genuine, random)
  const cutAfter = random.int(given.bytes.length)
  return {
    what: `${nameOf(given)} whose body breaks off after ${cutAfter} bytes`,
    request: use(given, { cutAfter }),
    expected: [400, 403, 404, 408, 500],
  }
}

/** Made as ours are, for the very same objects, by somebody who knows everything but the secret. */
const forged: Attack = (genuine, random) => {
  const given = any(genuine, random)
  const { region, accessKeyId } = genuine
  const { url, method, headers } = given.ticket
  const { origin, host } = new URL(url)
  const query = Object.fromEntries([...new URL(url).searchParams].filter(([name]) => !name.startsWith('X-Amz-')))
  const knows = random.chance(0.7)
  const credentials = {
    accessKeyId: knows ? accessKeyId : 'AKIAIOSFODNN7EXAMPLE',
    secretAccessKey: `a guess, number ${random.int(1_000_000)}`,
  }
  const path = random.chance(0.5) ? keyOf(url) : random.pick(genuine.paths)
  const made = presign({ method, origin, host, path, query, headers, at: new Date(), ttlSeconds: 900, region }, credentials)
  return { what: `a forged ${method}`, request: use(given, { url: made }), expected: refused }
}

/** No ticket at all. */
const bare: Attack = (genuine, random) => {
  const given = any(genuine, random)
  const url = `${new URL(given.ticket.url).origin}${random.pick(genuine.paths)}`
  const method = random.pick(['GET', 'PUT', 'DELETE'])
  return {
    what: `${method} without a ticket`,
    request: use(given, { url, method, headers: { 'content-length': '0' }, body: nothing }),
    expected: refused,
  }
}

export const attacks: Readonly<Record<string, { readonly attack: Attack; readonly weight: number }>> = {
  spent: { attack: spent, weight: 4 },
  'missing header': { attack: missingHeader, weight: 2 },
  'missing length': { attack: missingLength, weight: 1 },
  'other header': { attack: otherHeader, weight: 2 },
  'added header': { attack: addedHeader, weight: 3 },
  'other length': { attack: otherLength, weight: 2 },
  'other type': { attack: otherType, weight: 2 },
  'other signature': { attack: otherSignatures, weight: 3 },
  'other key': { attack: otherKey, weight: 2 },
  'other query': { attack: otherQuery, weight: 3 },
  'other method': { attack: otherMethod, weight: 2 },
  'other part': { attack: otherPart, weight: 3 },
  'other delivery': { attack: otherDelivery, weight: 3 },
  'broken off': { attack: brokenOff, weight: 1 },
  forged: { attack: forged, weight: 1 },
  bare: { attack: bare, weight: 1 },
}
