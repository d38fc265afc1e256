import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { basename } from 'node:path'
import { RindleError } from '../core/errors.ts'

/** A path, bytes, a Blob or File, a web ReadableStream, or anything that yields bytes such as a Node stream. */
export type UploadSource = string | Uint8Array | ArrayBuffer | Blob | ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>

export interface OpenedSource {
  readonly body: ReadableStream<Uint8Array>
  /** Null when nobody knows before the end. */
  readonly byteSize: number | null
  /** The name that the source goes by itself; null when it has none. */
  readonly filename: string | null
}

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants
const chunkBytes = 256 * 1024
const smallestChunkBytes = 512

/**
 * Opens whatever bytes come from, as a stream that is read only as fast as it is written on. Nothing is ever whole in memory that was
 * not so before. Cancelling the body releases the source.
 *
 * `plain`: the path is one that a decoder could write to, so what it has made a link or a pipe is neither followed nor waited for.
 *
 * @throws RindleError `upload_source_unreadable`
 */
export async function openSource(source: UploadSource, { plain = false }: { readonly plain?: boolean } = {}): Promise<OpenedSource> {
  if (typeof source === 'string') return openFile(source, plain ? O_RDONLY | O_NOFOLLOW | O_NONBLOCK : O_RDONLY)
  if (source instanceof Uint8Array) return { body: streamOfBytes(source), byteSize: source.byteLength, filename: null }
  if (source instanceof ArrayBuffer) return { body: streamOfBytes(new Uint8Array(source)), byteSize: source.byteLength, filename: null }
  if (source instanceof Blob) return { body: source.stream(), byteSize: source.size, filename: source instanceof File ? source.name : null }
  if (source instanceof ReadableStream) {
    if (source.locked) throw unreadable('another reader has it')
    return { body: source, byteSize: null, filename: null }
  }
  if (isAsyncIterable(source)) return { body: streamOf(source), byteSize: null, filename: null }
  throw unreadable('it must be a path, bytes, a Blob or File, or a stream')
}

/** A file that a decoder, or the app's own code, may have put there. */
export const openPlain = (path: string): Promise<OpenedSource> => openSource(path, { plain: true })

const unreadable = (problem: string, cause?: unknown): RindleError => new RindleError('upload_source_unreadable', { problem }, { cause })

const isAsyncIterable = (value: unknown): value is AsyncIterable<unknown> =>
  typeof value === 'object' && value !== null && Symbol.asyncIterator in value

const openFile = async (path: string, flags: number): Promise<OpenedSource> => {
  const file = await open(path, flags).catch((cause: unknown) => {
    throw unreadable(`${basename(path)} could not be opened`, cause)
  })
  const stat = await file.stat()
  if (!stat.isFile()) {
    await file.close()
    throw unreadable(`${basename(path)} is not a file`)
  }
  return { body: streamOfFile(file, stat.size), byteSize: stat.size, filename: basename(path) }
}

/** Buffers are no larger than what is left: thousands of small files a minute would otherwise keep the collector busy with empty space. */
const streamOfFile = (file: FileHandle, byteSize: number): ReadableStream<Uint8Array> => {
  let left = byteSize
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const size = Math.min(chunkBytes, Math.max(left, smallestChunkBytes))
          const { bytesRead, buffer } = await file.read(Buffer.allocUnsafeSlow(size), 0, size, null)
          left -= bytesRead
          if (bytesRead > 0) return controller.enqueue(buffer.subarray(0, bytesRead))
        } catch (err) {
          await file.close()
          throw err
        }
        await file.close()
        controller.close()
      },
      cancel: () => file.close(),
    },
    { highWaterMark: 0 },
  )
}

const streamOfBytes = (bytes: Uint8Array): ReadableStream<Uint8Array> => {
  let at = 0
  return new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (at < bytes.byteLength) controller.enqueue(bytes.subarray(at, at + chunkBytes))
        at += chunkBytes
        if (at >= bytes.byteLength) controller.close()
      },
    },
    { highWaterMark: 0 },
  )
}

const streamOf = (source: AsyncIterable<unknown>): ReadableStream<Uint8Array> => {
  const iterator = source[Symbol.asyncIterator]()
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const next = await iterator.next()
        if (next.done) return controller.close()
        if (typeof next.value === 'string') return controller.enqueue(new TextEncoder().encode(next.value))
        if (next.value instanceof Uint8Array) return controller.enqueue(next.value)
        await iterator.return?.()
        throw unreadable('it yields something that is no bytes')
      },
      async cancel() {
        await iterator.return?.()
      },
    },
    { highWaterMark: 0 },
  )
}
