import { createHash } from 'node:crypto'
import { joined } from '../../adapters/storage/held-bytes.ts'
import { patched, refusePatchesBeyond } from '../../adapters/storage/patches.ts'
import { RindleError } from '../../core/errors.ts'
import type { ListedMultipart, MultipartLimits, ObjectHead, StorageAdapter, StoredPart } from '../../core/ports/storage.ts'

export type Bytes = Uint8Array<ArrayBuffer>

export interface Held {
  readonly bytes: Bytes
  readonly head: ObjectHead
  readonly modifiedAt: Date
}

interface Part {
  readonly bytes: Bytes
  readonly etag: string
}

interface Upload extends ListedMultipart {
  readonly contentType: string
  readonly parts: Map<number, Part>
}

/** Which conditions the bucket makes sure of. What it does not honour it ignores, as some servers do. */
export interface BucketHonours {
  /** `if-none-match: *` of a PUT: without, it replaces what is there. Default true. */
  readonly createOnly: boolean
  /** `ifMatch` of a copy: without, it copies whatever is there. Default true. */
  readonly ifMatch: boolean
  /** The etags of the parts that are named for completing: without, it takes the parts as they are. Default true. */
  readonly partEtags: boolean
  /** That an aborted upload is over: without, a part that was on its way brings it back, with that part alone. Default true. */
  readonly abort: boolean
}

interface ShelfOptions {
  /** The adapter's id, for errors. */
  readonly store: string
  readonly honours: BucketHonours
  readonly versioned: boolean
  readonly limits: MultipartLimits
  readonly now: () => Date
}

type CopyCondition = Omit<NonNullable<Parameters<StorageAdapter['copy']>[2]>, 'signal'>

/** What the bucket holds, and how each call changes it: at once, wholly, or not at all. Etags are those of S3. */
export interface Shelf {
  readonly objects: ReadonlyMap<string, readonly Held[]>
  readonly uploads: ReadonlyMap<string, Upload>
  at(key: string, version?: string): Held | null
  /** @throws RindleError `object_exists` where create-only is honoured. */
  put(key: string, bytes: Bytes, contentType: string | null): ObjectHead
  copy(from: string, to: string, condition: CopyCondition): ObjectHead | null
  delete(key: string): void
  create(key: string, contentType: string): string
  /** @returns its etag. @throws RindleError `object_not_found` when the upload is over. */
  putPart(upload: Upload, partNumber: number, bytes: Bytes): string
  complete(key: string, uploadId: string, parts: readonly StoredPart[]): boolean
  abort(key: string, uploadId: string): void
}

export const createShelf = (options: ShelfOptions): Shelf => {
  const { honours, versioned, now } = options
  const objects = new Map<string, Held[]>()
  const uploads = new Map<string, Upload>()
  let written = 0
  let begun = 0

  const uploadTo = (key: string, uploadId: string): Upload | null => {
    const upload = uploads.get(uploadId)
    return upload?.key === key ? upload : null
  }
  const newest = (key: string): Held | null => objects.get(key)?.at(-1) ?? null
  const place = (key: string, bytes: Bytes, contentType: string | null, etag: string): ObjectHead => {
    written += 1
    const head: ObjectHead = { sizeBytes: bytes.byteLength, contentType, etag, version: versioned ? `v${written}` : null }
    objects.set(key, [...(versioned ? (objects.get(key) ?? []) : []), { bytes, head, modifiedAt: now() }])
    return head
  }

  return {
    objects,
    uploads,
    at: (key, version) => (version === undefined ? newest(key) : (objects.get(key)?.find(({ head }) => head.version === version) ?? null)),
    put(key, bytes, contentType) {
      if (honours.createOnly && objects.has(key)) throw new RindleError('object_exists', {})
      return place(key, bytes, contentType, md5(bytes).toString('hex'))
    },
    copy(from, to, { ifMatch, version, patches = [] }) {
      const source = version === undefined ? newest(from) : objects.get(from)?.find(({ head }) => head.version === version)
      if (!source || (honours.ifMatch && ifMatch !== undefined && ifMatch !== source.head.etag)) return null
      refusePatchesBeyond(patches, source.head.sizeBytes)
      const bytes = patches.length > 0 ? patched(source.bytes, 0, patches) : source.bytes
      return place(to, bytes, source.head.contentType, md5(bytes).toString('hex'))
    },
    delete: (key) => void objects.delete(key),
    create(key, contentType) {
      begun += 1
      const uploadId = `upload-${begun}`
      uploads.set(uploadId, { key, uploadId, startedAt: now(), contentType, parts: new Map() })
      return uploadId
    },
    putPart(upload, partNumber, bytes) {
      const { uploadId } = upload
      if (!uploads.has(uploadId)) {
        if (honours.abort) throw new RindleError('object_not_found', {})
        uploads.set(uploadId, { ...upload, parts: new Map() })
      }
      const etag = md5(bytes).toString('hex')
      uploads.get(uploadId)?.parts.set(partNumber, { bytes, etag })
      return etag
    },
    complete(key, uploadId, wanted) {
      const upload = uploadTo(key, uploadId)
      if (!upload) return false
      const parts = partsFor(upload, wanted, options)
      place(key, joined(parts.map(({ bytes }) => bytes)), upload.contentType, etagOfParts(parts))
      uploads.delete(uploadId)
      return true
    },
    abort(key, uploadId) {
      if (uploadTo(key, uploadId)) uploads.delete(uploadId)
    },
  }
}

/** @throws RindleError `object_parts_changed`; `storage_failed` for what no server puts together. */
const partsFor = (upload: Upload, wanted: readonly StoredPart[], { honours, limits, store }: ShelfOptions): Part[] => {
  const parts = wanted.map(({ partNumber, etag }) => {
    const part = upload.parts.get(partNumber)
    if (!part || (honours.partEtags && part.etag !== etag)) throw new RindleError('object_parts_changed', {})
    return part
  })
  const isInOrder = wanted.every(({ partNumber }, index) => index === 0 || partNumber > (wanted[index - 1]?.partNumber ?? 0))
  const isTooSmall = parts.slice(0, -1).some(({ bytes }) => bytes.byteLength < limits.minPartBytes)
  if (parts.length === 0 || !isInOrder || isTooSmall)
    throw new RindleError('storage_failed', {
      operation: `complete a multipart upload (${isTooSmall ? 'EntityTooSmall' : 'InvalidPartOrder'})`,
      store,
    })
  return parts
}

const md5 = (bytes: Uint8Array): Buffer => createHash('md5').update(bytes).digest()

const etagOfParts = (parts: readonly Part[]): string =>
  `${md5(Buffer.concat(parts.map(({ etag }) => Buffer.from(etag, 'hex')))).toString('hex')}-${parts.length}`
