import { RindleError } from '../../../core/errors.ts'
import type { SignedRequest } from '../../../core/ports/storage.ts'
import { type BucketAddress, encodeKey, publicAddressOf } from './address.ts'
import type { Bucket } from './bucket.ts'
import { credentialsOver } from './failure.ts'
import type { S3Credentials } from './options.ts'
import { presign } from './sigv4.ts'

const weekSeconds = 604_800

/** What is signed: the rest is the bucket's. */
export interface Ticket {
  readonly method: 'GET' | 'PUT'
  readonly at: Date
  readonly ttlSeconds: number
  readonly query: Readonly<Record<string, string>>
  readonly headers: Readonly<Record<string, string>>
}

/**
 * Signs for the address that browsers use. A ticket ends with its time, or with the credentials that signed it, which may be minutes away;
 * signatures know whole seconds, so that it is refused up to one second before `expiresAt`, never after.
 */
export const ticketsOf = (bucket: Bucket): ((key: string, ticket: Ticket) => Promise<SignedRequest>) => {
  const { settings, credentials } = bucket.connection
  const address: BucketAddress = publicAddressOf(settings)
  return async (key, { method, at, ttlSeconds, query, headers }) => {
    const signer = await credentials()
    const seconds = secondsLeft(signer, at, ttlSeconds, settings.id)
    const path = `${address.path}/${encodeKey(bucket.keyOf(key))}`
    const request = { method, origin: address.origin, host: address.host, path, query, headers, at, region: settings.region }
    const absent = method === 'PUT' && settings.service === 'ceph' ? { absentHeaders: neverSent } : {}
    const url = presign({ ...request, ...absent, ttlSeconds: seconds }, signer)
    return { url, method, headers, expiresAt: new Date(at.getTime() + seconds * 1000) }
  }
}

/**
 * What would make another request of a PUT: the bytes of another object instead of the body, or readers that nobody asked about. AWS refuses
 * every x-amz- header that is not signed; Ceph's gateway does not, and leaves a signed header that does not come out of what it checks.
 */
const neverSent: readonly string[] = [
  ...['x-amz-copy-source', 'x-amz-copy-source-range', 'x-amz-acl', 'x-amz-grant-full-control'],
  ...['x-amz-grant-read', 'x-amz-grant-read-acp', 'x-amz-grant-write', 'x-amz-grant-write-acp'],
  ...['x-amz-tagging', 'x-amz-website-redirect-location', 'content-encoding', 'content-disposition'],
]

const secondsLeft = ({ expiration }: S3Credentials, at: Date, ttlSeconds: number, store: string): number => {
  const wanted = Math.min(ttlSeconds, weekSeconds)
  const left = expiration === undefined ? wanted : Math.min(wanted, Math.floor((expiration.getTime() - at.getTime()) / 1000))
  if (left >= 1) return left
  throw new RindleError('storage_refused', { operation: 'sign', store, reason: credentialsOver })
}
