import type { Readable } from 'node:stream'
import type { CompletedPart } from '@aws-sdk/client-s3'
import { RindleError } from '../../../core/errors.ts'
import { bareEtag } from '../../../core/etag.ts'
import type { ObjectHead, Patch } from '../../../core/ports/storage.ts'
import { patched } from '../patches.ts'
import type { Bucket } from './bucket.ts'
import type { Connected } from './connection.ts'
import { inTime } from './head.ts'
import { sendChunks } from './source.ts'

/** One part of a copy that is not the source's. */
interface PatchedPart {
  readonly bucket: Bucket
  readonly connected: Connected
  /** Keys as the bucket knows them. */
  readonly from: string
  readonly version: string | undefined
  readonly source: ObjectHead
  readonly upload: { readonly Bucket: string; readonly Key: string; readonly UploadId: string; readonly PartNumber: number }
  /** `[first, end)` of the whole. */
  readonly first: number
  readonly end: number
  readonly patches: readonly Patch[]
  readonly signal: AbortSignal
}

const mebibyte = 1024 * 1024

/** Small where patches are, so that little goes over the network; all of a size, since some servers take no other. */
export const patchedPartBytes = (sizeBytes: number, { minPartBytes, maxPartBytes }: Bucket['sizes']['limits']): number => {
  const wished = Math.max(8 * mebibyte, Math.ceil(sizeBytes / 1000 / mebibyte) * mebibyte)
  return Math.min(Math.max(wished, minPartBytes), maxPartBytes)
}

/** Brings the source's bytes here and sends them on, the patches in them; no more than some chunks are in memory. */
export const sendPatched = async (part: PatchedPart): Promise<CompletedPart> => {
  const { bucket, connected, upload, first, end, signal } = part
  const { sdk, once } = connected
  const { silenceMs } = bucket.connection.settings.timeouts
  const body = await readSource(part)
  try {
    const { ETag } = await sendChunks(patchedChunks(part, body), { signal, silenceMs }, (Body, abortSignal) =>
      once.send(new sdk.UploadPartCommand({ ...upload, Body, ContentLength: end - first }), { abortSignal }),
    )
    return { PartNumber: upload.PartNumber, ETag }
  } finally {
    body.destroy()
  }
}

async function* patchedChunks({ bucket, first, end, patches }: PatchedPart, body: Readable): AsyncGenerator<Uint8Array> {
  const { silenceMs, id } = { ...bucket.connection.settings.timeouts, id: bucket.connection.settings.id }
  const watch = setTimeout(() => body.destroy(new DOMException(`Nothing came for ${silenceMs} ms`, 'TimeoutError')), silenceMs)
  let at = first
  try {
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      watch.refresh()
      yield patched(chunk, at, patches)
      at += chunk.byteLength
    }
  } finally {
    clearTimeout(watch)
  }
  if (at !== end) throw new RindleError('storage_failed', { operation: 'copy', store: id })
}

/** Whether or not a condition was asked for, bytes of two states of the source are never put together. */
const readSource = async ({ bucket, connected, from, version, source, first, end, signal }: PatchedPart): Promise<Readable> => {
  const { sdk, patient } = connected
  const wanted = { Range: `bytes=${first}-${end - 1}`, IfMatch: `"${source.etag}"`, VersionId: version }
  const answer = await patient.send(new sdk.GetObjectCommand({ Bucket: bucket.name, Key: from, ...wanted }), inTime(bucket, signal))
  const body = answer.Body as Readable | undefined
  if (body && answer.ContentRange?.startsWith(`bytes ${first}-${end - 1}/`) && bareEtag(answer.ETag) === source.etag) return body
  body?.destroy()
  throw new RindleError('storage_failed', { operation: 'copy', store: bucket.connection.settings.id })
}
