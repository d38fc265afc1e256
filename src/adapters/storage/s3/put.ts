import type { Readable } from 'node:stream'
import type { CompletedPart } from '@aws-sdk/client-s3'
import { RindleError } from '../../../core/errors.ts'
import { partSizeOf, planParts } from '../../../core/multipart.ts'
import type { ObjectHead, StorageAdapter } from '../../../core/ports/storage.ts'
import { assemble } from './assemble.ts'
import type { Bucket } from './bucket.ts'
import type { Connected } from './connection.ts'
import { describedAs } from './description.ts'
import { isPrecondition } from './failure.ts'
import { abortedBy, headOf, lookAt } from './head.ts'
import { sendChunks, type Source, sourceOf } from './source.ts'

/** One body on its way. */
interface Putting {
  readonly bucket: Bucket
  readonly connected: Connected
  /** As the bucket knows it. */
  readonly key: string
  readonly contentType: string
  readonly signal: AbortSignal | undefined
  readonly source: Source
}

/**
 * One request for what fits into one and is announced, and for what turns out to be small; else the parts of a multipart upload. Each
 * request is sent once. Of bytes that nobody announced one part is held in memory, never more.
 *
 * Create-only by `If-None-Match`. Some servers ignore it where parts are put together: there the key is looked at before as well.
 */
export const putObject =
  (bucket: Bucket): StorageAdapter['put'] =>
  async (key, body, { contentType, sizeBytes, signal }) => {
    const source = sourceOf(body)
    const onAbort = (): void => source.cancel(signal?.reason)
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      return await bucket.connection.call('put', signal, async (connected) => {
        const putting = { bucket, connected, key: bucket.keyOf(key), contentType, signal, source }
        return sizeBytes === undefined ? putUnknown(putting) : putKnown(putting, sizeBytes)
      })
    } catch (err) {
      source.cancel(err)
      throw err
    } finally {
      signal?.removeEventListener('abort', onAbort)
    }
  }

const putKnown = async (putting: Putting, sizeBytes: number): Promise<ObjectHead> => {
  const { source, bucket } = putting
  if (sizeBytes > bucket.sizes.putBytes) return putParts(putting, (uploadId) => sendKnown(putting, uploadId, sizeBytes))
  const chunks = source.takeLast(sizeBytes)
  if (sizeBytes > 0) return streamed(putting, chunks, (body, signal) => putOnce(putting, body, sizeBytes, signal))
  await chunks.next()
  return held(putting, Buffer.alloc(0), (body, signal) => putOnce(putting, body, 0, signal))
}

const putUnknown = async (putting: Putting): Promise<ObjectHead> => {
  const { source, bucket, signal } = putting
  const buffer = Buffer.allocUnsafeSlow(bucket.sizes.bufferBytes)
  const filled = await source.fill(buffer)
  if (filled === buffer.byteLength && !(await source.ended()))
    return putParts(putting, (uploadId) => sendUnknown(putting, uploadId, buffer))
  signal?.throwIfAborted()
  return held(putting, buffer.subarray(0, filled), (body, stopped) => putOnce(putting, body, filled, stopped))
}

const putOnce = async (
  { bucket, connected: { sdk, once }, key, contentType }: Putting,
  body: Readable | Buffer,
  sizeBytes: number,
  signal: AbortSignal | undefined,
): Promise<ObjectHead> => {
  const names = { Bucket: bucket.name, Key: key }
  const put = new sdk.PutObjectCommand({ ...names, Body: body, ContentLength: sizeBytes, ...describedAs(contentType), IfNoneMatch: '*' })
  const { ETag, VersionId } = await once.send(put, abortedBy(signal)).catch(throwExisting)
  return headOf({ ContentLength: sizeBytes, ContentType: contentType, ETag, VersionId })
}

const throwExisting = (err: unknown): never => {
  throw isPrecondition(err) ? new RindleError('object_exists', {}) : err
}

const putParts = async (putting: Putting, sendParts: (uploadId: string) => Promise<readonly CompletedPart[]>): Promise<ObjectHead> => {
  if (await lookAt(putting, putting.key, { operation: 'put', signal: putting.signal })) throw new RindleError('object_exists', {})
  return assemble({ ...putting, operation: 'put' }, sendParts)
}

const sendKnown = async (putting: Putting, uploadId: string, sizeBytes: number): Promise<CompletedPart[]> => {
  const { bucket, source } = putting
  const { partBytes, partCount } = planParts(sizeBytes, bucket.sizes.limits, bucket.sizes.partBytes)
  const sent: CompletedPart[] = []
  for (let number = 1; number <= partCount; number++) {
    const size = partSizeOf(sizeBytes, partBytes, number)
    const chunks = number < partCount ? source.take(size) : source.takeLast(size)
    sent.push(await streamed(putting, chunks, (body, signal) => sendPart(putting, { uploadId, number, size }, body, signal)))
  }
  return sent
}

const sendUnknown = async (putting: Putting, uploadId: string, buffer: Buffer): Promise<CompletedPart[]> => {
  const { bucket, source, signal } = putting
  const { maxParts } = bucket.sizes.limits
  const sent: CompletedPart[] = []
  for (let filled = buffer.byteLength; filled > 0; filled = await source.fill(buffer)) {
    const number = sent.length + 1
    if (number > maxParts) throw new RindleError('upload_too_large', { maxBytes: maxParts * buffer.byteLength, actualBytes: null })
    signal?.throwIfAborted()
    const part = { uploadId, number, size: filled }
    sent.push(await held(putting, buffer.subarray(0, filled), (body, stopped) => sendPart(putting, part, body, stopped)))
  }
  return sent
}

const sendPart = async (
  { bucket, connected: { sdk, once }, key }: Putting,
  { uploadId, number, size }: { readonly uploadId: string; readonly number: number; readonly size: number },
  body: Readable | Buffer,
  signal: AbortSignal | undefined,
): Promise<CompletedPart> => {
  const names = { Bucket: bucket.name, Key: key, UploadId: uploadId, PartNumber: number }
  const { ETag } = await once.send(new sdk.UploadPartCommand({ ...names, Body: body, ContentLength: size }), abortedBy(signal))
  return { PartNumber: number, ETag }
}

const streamed = <T>(
  { signal, bucket }: Putting,
  chunks: AsyncGenerator<Uint8Array>,
  send: (body: Readable, signal: AbortSignal) => Promise<T>,
): Promise<T> => sendChunks(chunks, { signal, silenceMs: bucket.connection.settings.timeouts.silenceMs }, send)

const sliceBytes = 64 * 1024

async function* slicesOf(bytes: Buffer): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += sliceBytes) yield bytes.subarray(at, at + sliceBytes)
}

/** What is in memory goes slice by slice as well, so that a server that takes none of it is noticed. Nothing at all is no stream. */
const held = <T>(putting: Putting, bytes: Buffer, send: (body: Readable | Buffer, signal: AbortSignal) => Promise<T>): Promise<T> =>
  streamed(putting, slicesOf(bytes), (body, signal) => send(bytes.byteLength > 0 ? body : bytes, signal))
