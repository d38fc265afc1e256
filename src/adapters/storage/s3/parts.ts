import type { ListMultipartUploadsCommandInput, ListMultipartUploadsCommandOutput } from '@aws-sdk/client-s3'
import { RindleError } from '../../../core/errors.ts'
import { bareEtag } from '../../../core/etag.ts'
import type { MultipartStore, SignedRequest, StoredPart } from '../../../core/ports/storage.ts'
import type { Bucket } from './bucket.ts'
import type { Connected } from './connection.ts'
import { answerOf, isMissing } from './failure.ts'
import { abortedBy, inTime, nullWhenMissing } from './head.ts'
import { decoded, pageTimes, youngest } from './listing.ts'
import type { Ticket } from './tickets.ts'

const changedCodes: ReadonlySet<string> = new Set(['InvalidPart', 'InvalidPartOrder', 'EntityTooSmall'])

/** Multipart uploads whose parts clients send. */
export const multipartOf = (bucket: Bucket, sign: (key: string, ticket: Ticket) => Promise<SignedRequest>): MultipartStore => {
  const { call, settings } = bucket.connection
  const uploadOf = (key: string, UploadId: string) => ({ Bucket: bucket.name, Key: bucket.keyOf(key), UploadId })
  return {
    limits: bucket.sizes.limits,

    create: (key, { contentType, signal }) =>
      call('begin a multipart upload', signal, async ({ sdk, once }) => {
        const create = new sdk.CreateMultipartUploadCommand({ Bucket: bucket.name, Key: bucket.keyOf(key), ContentType: contentType })
        const { UploadId } = await once.send(create, abortedBy(signal))
        if (UploadId) return UploadId
        throw new RindleError('storage_failed', { operation: 'begin a multipart upload', store: settings.id })
      }),

    signPart: (key, { uploadId, partNumber, sizeBytes, at, ttlSeconds }) =>
      sign(key, {
        method: 'PUT',
        at,
        ttlSeconds,
        query: { partNumber: String(partNumber), uploadId, 'x-id': 'UploadPart' },
        headers: { 'content-length': String(sizeBytes) },
      }),

    listParts: (key, uploadId, { signal } = {}) =>
      call('list parts', signal, (connected) => partsOf({ bucket, connected }, uploadOf(key, uploadId), signal)),

    complete: (key, uploadId, parts, { signal } = {}) =>
      call('complete a multipart upload', signal, (connected) => complete({ bucket, connected }, uploadOf(key, uploadId), parts, signal)),

    abort: (key, uploadId, { signal } = {}) =>
      call('abort a multipart upload', signal, async ({ sdk, patient }) => {
        await patient.send(new sdk.AbortMultipartUploadCommand(uploadOf(key, uploadId)), inTime(bucket, signal)).catch(nullWhenMissing)
      }),

    async *list(prefix, { signal } = {}) {
      const pageAfter = (marker: Marker): Promise<ListMultipartUploadsCommandOutput> =>
        call('list multipart uploads', signal, (connected) =>
          uploadsPage({ bucket, connected }, { Prefix: `${bucket.prefix}${prefix}`, ...marker }, signal),
        )
      let from: Marker | null = {}
      while (from) {
        const page: ListMultipartUploadsCommandOutput = await pageAfter(from)
        for (const { Key, UploadId, Initiated } of page.Uploads ?? []) {
          signal?.throwIfAborted()
          if (Key === undefined || UploadId === undefined) continue
          const key = decoded(Key, page.EncodingType).slice(bucket.prefix.length)
          yield { key, uploadId: UploadId, startedAt: Initiated ?? youngest }
        }
        const next = decoded(page.NextKeyMarker ?? '', page.EncodingType)
        from = page.IsTruncated ? { KeyMarker: next, UploadIdMarker: page.NextUploadIdMarker } : null
      }
    },
  }
}

interface There {
  readonly bucket: Bucket
  readonly connected: Connected
}

type Marker = Pick<ListMultipartUploadsCommandInput, 'KeyMarker' | 'UploadIdMarker'>

/**
 * Names are asked for encoded, since not every one can stand in XML. Ceph's gateway encodes them then without saying so: where nothing is
 * said they are asked for once more, as they are.
 */
const uploadsPage = async (
  { bucket, connected: { sdk, patient } }: There,
  asked: Marker & { readonly Prefix: string },
  signal: AbortSignal | undefined,
): Promise<ListMultipartUploadsCommandOutput> => {
  const ask = (encoding: { readonly EncodingType?: 'url' }): Promise<ListMultipartUploadsCommandOutput> =>
    patient.send(new sdk.ListMultipartUploadsCommand({ Bucket: bucket.name, ...asked, ...encoding }), inTime(bucket, signal, pageTimes))
  if (bucket.encodesUploads) {
    const page = await ask({ EncodingType: 'url' })
    if (page.EncodingType === 'url' || !page.Uploads?.length) return page
    bucket.encodesUploads = false
  }
  return ask({})
}

interface Upload {
  readonly Bucket: string
  readonly Key: string
  readonly UploadId: string
}

const partsOf = async (
  { bucket, connected: { sdk, patient } }: There,
  upload: Upload,
  signal: AbortSignal | undefined,
): Promise<readonly StoredPart[] | null> => {
  const parts: StoredPart[] = []
  let marker: string | undefined
  do {
    const list = new sdk.ListPartsCommand({ ...upload, PartNumberMarker: marker })
    const page = await patient.send(list, inTime(bucket, signal)).catch(nullWhenMissing)
    if (!page) return null
    for (const { PartNumber, Size, ETag } of page.Parts ?? [])
      parts.push({ partNumber: PartNumber ?? 0, sizeBytes: Size ?? 0, etag: bareEtag(ETag) })
    marker = page.IsTruncated ? page.NextPartNumberMarker : undefined
  } while (marker !== undefined)
  return parts
}

/** Servers differ in what they answer where there is no such upload: one that fails is asked whether there is. */
const complete = async (there: There, upload: Upload, parts: readonly StoredPart[], signal: AbortSignal | undefined): Promise<boolean> => {
  const { sdk, patient } = there.connected
  const Parts = parts.map(({ partNumber, etag }) => ({ PartNumber: partNumber, ETag: `"${etag}"` }))
  try {
    await patient.send(new sdk.CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts } }), abortedBy(signal))
    return true
  } catch (err) {
    if (isMissing(err)) return false
    const { code, status } = answerOf(err)
    const listed = status === null ? parts : await partsOf(there, upload, signal)
    if (listed === null) return false
    throw changedCodes.has(code) ? new RindleError('object_parts_changed', {}, { cause: err }) : err
  }
}
