import type { Clock } from '../core/clock.ts'
import { isRindleError } from '../core/errors.ts'
import type { MultipartLimits, StorageAdapter, StorageCapability } from '../core/ports/storage.ts'
import { bucketAdapter } from './memory-bucket/adapter.ts'
import { createLandings, type Landings, lostConnection } from './memory-bucket/landing.ts'
import { type Bytes, createShelf, type Held, type BucketHonours, type Shelf } from './memory-bucket/shelf.ts'
import { createTicketOffice, keyOf, type Opened, type TicketOffice } from './memory-bucket/tickets.ts'
import type { ClientAnswer, ClientRequest } from './client-request.ts'
import type { LandingHook, LateCall } from './memory-bucket/landing.ts'

export type { BucketCall, Landing, LandingHook, LateCall } from './memory-bucket/landing.ts'
export type { BucketHonours } from './memory-bucket/shelf.ts'

export interface MemoryBucketOptions {
  /** Default `default`: the adapter's id is `bucket:` and this. */
  readonly name?: string
  /** What tickets are judged by. */
  readonly clock: Pick<Clock, 'now'>
  readonly honours?: Partial<BucketHonours>
  /** Keeps what is replaced as older versions, until the object is deleted. Default false. */
  readonly versioned?: boolean
  /** Default: those of S3. Smaller ones keep tests small. */
  readonly limits?: Partial<MultipartLimits>
  /** Decides when each call that changes something takes effect, and whether its sender hears of it. Default: at once, and yes. */
  readonly landing?: LandingHook
}

/** A bucket with a signing service in front, in this process. */
export interface MemoryBucket {
  readonly adapter: StorageAdapter
  /** Does what a client does with a ticket. Rejects with a `NetworkError` when the connection is lost. */
  send(request: ClientRequest): Promise<ClientAnswer>
  /** Calls that were told that the connection was lost, and that have not landed yet. Oldest first. */
  readonly late: readonly LateCall[]
}

const mebibyte = 1024 * 1024
const limitsOfS3: MultipartLimits = {
  minPartBytes: 5 * mebibyte,
  maxPartBytes: 5 * 1024 * mebibyte,
  maxParts: 10_000,
  maxObjectBytes: 5 * mebibyte * mebibyte,
}
const honoursAll: BucketHonours = { createOnly: true, ifMatch: true, partEtags: true, abort: true }

/**
 * A bucket in memory that gives out tickets and refuses what real servers refuse: a PUT with another or missing header, length, type or
 * method, a tampered, re-purposed or expired ticket, a used one where create-only is honoured; parts that are too small, too many,
 * changed, or of an upload that is gone. Every server's conditions can be switched off, and every call can land late, unseen or never.
 */
export const createMemoryBucket = (options: MemoryBucketOptions): MemoryBucket => {
  const { name = 'default', clock, versioned = false, landing } = options
  const honours = { ...honoursAll, ...options.honours }
  const limits = { ...limitsOfS3, ...options.limits }
  const id = `bucket:${name}`
  const now = (): Date => clock.now()
  const shelf = createShelf({ store: id, honours, versioned, limits, now })
  const office = createTicketOffice(`https://${name}.bucket.test`)
  const landings = createLandings(landing, ({ operation }) => lostConnection(operation, id))
  const adapter = bucketAdapter({ id, capabilities: claimsOf(honours), limits, shelf, office, landings })
  return { adapter, late: landings.late, send: (request) => answer({ shelf, office, landings, limits, now }, request) }
}

const claimsOf = ({ createOnly, ifMatch }: BucketHonours): ReadonlySet<StorageCapability> =>
  new Set<StorageCapability>([
    ...(['presigned_put', 'multipart_upload', 'signed_url', 'public_url', 'patched_copy'] as const),
    ...(createOnly ? (['create_only_put'] as const) : []),
    ...(ifMatch ? (['conditional_copy'] as const) : []),
  ])

interface Front {
  readonly shelf: Shelf
  readonly office: TicketOffice
  readonly landings: Landings
  readonly limits: MultipartLimits
  readonly now: () => Date
}

const answer = async (front: Front, request: ClientRequest): Promise<ClientAnswer> => {
  const { shelf, office, now } = front
  if (!URL.canParse(request.url)) return refusal(400, 'InvalidURI')
  const url = new URL(request.url)
  if (url.search === '' && (request.method === 'GET' || request.method === 'HEAD')) {
    const key = office.address('') === `${url.origin}/` ? keyOf(url) : null
    const held = key === null ? null : shelf.at(key)
    return held ? download(held, request, new Map()) : refusal(404, 'NoSuchKey')
  }
  const opened = office.open(request, now())
  if (!opened.ok) return refusal(403, opened.why)
  if (request.method === 'GET') {
    const held = shelf.at(opened.key)
    return held ? download(held, request, opened.query) : refusal(404, 'NoSuchKey')
  }
  return lostForClients(() => (opened.query.has('partNumber') ? putPart(front, opened, request) : putObject(front, opened, request)))
}

type Allowed = Extract<Opened, { ok: true }>

const putObject = async ({ shelf, landings }: Front, { key }: Allowed, request: ClientRequest): Promise<ClientAnswer> => {
  const bytes = new Uint8Array(request.body ?? [])
  const contentType = headerOf(request, 'content-type')
  const checksum = headerOf(request, 'x-amz-checksum-sha256')
  if (checksum !== null && (await sha256(bytes)) !== checksum) return refusal(400, 'BadDigest')
  const head = await landings.run({ operation: 'send', key }, undefined, () => shelf.put(key, bytes, contentType))
  return accepted(head.etag)
}

const putPart = async ({ shelf, landings, limits }: Front, { key, query }: Allowed, request: ClientRequest): Promise<ClientAnswer> => {
  const partNumber = Number(query.get('partNumber'))
  const uploadId = query.get('uploadId') ?? ''
  const bytes = new Uint8Array(request.body ?? [])
  if (!Number.isSafeInteger(partNumber) || partNumber < 1 || partNumber > limits.maxParts) return refusal(400, 'InvalidArgument')
  if (bytes.byteLength > limits.maxPartBytes) return refusal(400, 'EntityTooLarge')
  const upload = shelf.uploads.get(uploadId)
  if (upload?.key !== key) return refusal(404, 'NoSuchUpload')
  return landings.run({ operation: 'send', key, uploadId, partNumber }, undefined, () => {
    return accepted(shelf.putPart(upload, partNumber, bytes))
  })
}

/** To a client a lost connection is no answer at all; a condition that was not met is one. */
const lostForClients = async (run: () => Promise<ClientAnswer>): Promise<ClientAnswer> => {
  try {
    return await run()
  } catch (err) {
    if (!isRindleError(err)) throw err
    if (err.code === 'object_exists') return refusal(412, 'PreconditionFailed')
    if (err.code === 'object_not_found') return refusal(404, 'NoSuchUpload')
    throw err.cause ?? err
  }
}

const download = (held: Held, request: ClientRequest, query: ReadonlyMap<string, string>): ClientAnswer => {
  const { sizeBytes, contentType, etag } = held.head
  const disposition = query.get('response-content-disposition')
  const range = /^bytes=(\d+)-(\d*)$/.exec(headerOf(request, 'range') ?? '')
  const start = Number(range?.[1] ?? 0)
  if (range && start >= sizeBytes) return refusal(416, 'InvalidRange')
  const body = held.bytes.slice(start, range?.[2] ? Number(range[2]) + 1 : sizeBytes)
  return {
    status: range ? 206 : 200,
    headers: {
      'content-length': String(body.byteLength),
      'content-type': query.get('response-content-type') ?? contentType ?? 'application/octet-stream',
      etag,
      ...(disposition === undefined ? {} : { 'content-disposition': disposition }),
    },
    body: request.method === 'HEAD' ? new Uint8Array() : body,
  }
}

const accepted = (etag: string): ClientAnswer => ({ status: 200, headers: { etag }, body: new Uint8Array() })

const refusal = (status: number, code: string): ClientAnswer => ({ status, headers: {}, body: new TextEncoder().encode(code) })

const headerOf = ({ headers = {} }: ClientRequest, name: string): string | null =>
  Object.entries(headers).find(([one]) => one.toLowerCase() === name)?.[1] ?? null

const sha256 = async (bytes: Bytes): Promise<string> => Buffer.from(await crypto.subtle.digest('SHA-256', bytes)).toString('base64')
