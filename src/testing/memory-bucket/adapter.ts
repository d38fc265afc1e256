import { drain } from '../../adapters/storage/drain.ts'
import { spanOf } from '../../adapters/storage/byte-range.ts'
import { joined, streamOf } from '../../adapters/storage/held-bytes.ts'
import { byKey } from '../../adapters/storage/key-order.ts'
import { RindleError } from '../../core/errors.ts'
import type { MultipartLimits, MultipartStore, StorageAdapter, StorageCapability } from '../../core/ports/storage.ts'
import type { Landings } from './landing.ts'
import type { Shelf } from './shelf.ts'
import type { TicketOffice } from './tickets.ts'

interface BucketParts {
  readonly id: string
  readonly capabilities: ReadonlySet<StorageCapability>
  readonly limits: MultipartLimits
  readonly shelf: Shelf
  readonly office: TicketOffice
  readonly landings: Landings
}

/** The library's side of the bucket. */
export const bucketAdapter = ({ id, capabilities, limits, shelf, office, landings }: BucketParts): StorageAdapter => ({
  id,
  capabilities,

  async put(key, body, { signal, contentType, sizeBytes }) {
    if (capabilities.has('create_only_put') && shelf.at(key)) {
      void body.cancel().catch(() => undefined)
      throw new RindleError('object_exists', {})
    }
    const chunks: Uint8Array[] = []
    await drain(body, { signal, sizeBytes }, (chunk) => void chunks.push(chunk))
    return landings.run({ operation: 'put', key }, signal, () => shelf.put(key, joined(chunks), contentType))
  },

  async head(key, { signal } = {}) {
    signal?.throwIfAborted()
    return shelf.at(key)?.head ?? null
  },

  async read(key, { signal, range } = {}) {
    signal?.throwIfAborted()
    const held = shelf.at(key)
    if (!held) return null
    const { from, to } = spanOf(range, held.head.sizeBytes)
    return { ...held.head, body: streamOf(held.bytes.subarray(from, to), signal) }
  },

  copy: (from, to, { signal, ...condition } = {}) =>
    landings.run({ operation: 'copy', key: to, from }, signal, () => shelf.copy(from, to, condition)),

  delete: (key, { signal } = {}) => landings.run({ operation: 'delete', key }, signal, () => shelf.delete(key)),

  async *list(prefix, { signal } = {}) {
    for (const key of [...shelf.objects.keys()].filter((one) => one.startsWith(prefix)).sort(byKey)) {
      signal?.throwIfAborted()
      const held = shelf.at(key)
      if (held) yield { key, sizeBytes: held.head.sizeBytes, modifiedAt: held.modifiedAt }
    }
  },

  async signPut(key, { at, ttlSeconds, contentType, sizeBytes, sha256 }) {
    const checksum = sha256 === undefined ? {} : { 'x-amz-checksum-sha256': Buffer.from(sha256, 'hex').toString('base64') }
    const headers = { 'content-type': contentType, 'if-none-match': '*', ...checksum }
    return office.sign({ method: 'PUT', key, query: {}, headers, sizeBytes, at, ttlSeconds })
  },

  async signGet(key, { at, ttlSeconds, contentType, contentDisposition }) {
    const query = { 'response-content-type': contentType, 'response-content-disposition': contentDisposition }
    return office.sign({ method: 'GET', key, query, headers: {}, sizeBytes: null, at, ttlSeconds })
  },

  publicUrl: (key) => office.address(key),

  multipart: multipartOf({ id, limits, shelf, office, landings }),
})

const multipartOf = ({ limits, shelf, office, landings }: Omit<BucketParts, 'capabilities'>): MultipartStore => ({
  limits,

  create: (key, { signal, contentType }) => landings.run({ operation: 'create', key }, signal, () => shelf.create(key, contentType)),

  async signPart(key, { uploadId, partNumber, sizeBytes, at, ttlSeconds }) {
    const query = { partNumber: String(partNumber), uploadId }
    return office.sign({ method: 'PUT', key, query, headers: {}, sizeBytes, at, ttlSeconds })
  },

  async listParts(key, uploadId, { signal } = {}) {
    signal?.throwIfAborted()
    const upload = shelf.uploads.get(uploadId)
    if (upload?.key !== key) return null
    return [...upload.parts]
      .sort(([one], [other]) => one - other)
      .map(([partNumber, { bytes, etag }]) => ({ partNumber, sizeBytes: bytes.byteLength, etag }))
  },

  complete: (key, uploadId, parts, { signal } = {}) =>
    landings.run({ operation: 'complete', key, uploadId }, signal, () => shelf.complete(key, uploadId, parts)),

  abort: (key, uploadId, { signal } = {}) => landings.run({ operation: 'abort', key, uploadId }, signal, () => shelf.abort(key, uploadId)),

  async *list(prefix, { signal } = {}) {
    const below = [...shelf.uploads.values()].filter(({ key }) => key.startsWith(prefix))
    for (const { key, uploadId, startedAt } of below.sort((one, other) => byKey(one.key, other.key))) {
      signal?.throwIfAborted()
      yield { key, uploadId, startedAt }
    }
  },
})
