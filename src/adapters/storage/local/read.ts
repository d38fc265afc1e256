import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { RindleError } from '../../../core/errors.ts'
import { codeOf, findPlace, isMissing, linkRefused } from './paths.ts'

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants
const chunkBytes = 256 * 1024

/** The file of `key`, open for reading; null when there is none. Never waits at a pipe and never follows a link. */
export const openFile = async (directory: string, key: string): Promise<{ path: string; handle: FileHandle } | null> => {
  const place = await findPlace(directory, key)
  if (!place) return null
  const handle = await open(place.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK).catch((err: unknown) => {
    if (isMissing(err) || codeOf(err) === 'ENXIO') return null
    throw codeOf(err) === 'ELOOP' ? linkRefused() : err
  })
  if (!handle) return null
  if ((await handle.stat()).isFile()) return { path: place.path, handle }
  await handle.close()
  return null
}

/**
 * The bytes `[from, to)` of an open file, read when they are asked for, one chunk at a time. It closes the file at the end, on
 * cancel and on abort; what is small is read at once, so that a body nobody reads holds no file open. A reader that brings its own
 * buffer gets its bytes there, as much as fits.
 */
export const streamOf = async (
  handle: FileHandle,
  { from, to }: { readonly from: number; readonly to: number },
  options: { readonly store: string; readonly signal?: AbortSignal | undefined },
): Promise<ReadableStream<Uint8Array>> => {
  const { store, signal } = options
  if (to - from <= chunkBytes) {
    const whole = to > from ? await fill(Buffer.allocUnsafeSlow(to - from), handle, from, store) : null
    await handle.close()
    return new ReadableStream<Uint8Array>({
      start(controller) {
        if (whole) controller.enqueue(whole)
        controller.close()
      },
    })
  }

  let at = from
  let onAbort = (): void => undefined
  const end = async (): Promise<void> => {
    signal?.removeEventListener('abort', onAbort)
    await handle.close()
  }
  return new ReadableStream(
    {
      type: 'bytes',
      start(controller) {
        onAbort = () => {
          controller.error(signal?.reason)
          void end()
        }
        signal?.addEventListener('abort', onAbort, { once: true })
      },
      async pull(controller) {
        try {
          const room = controller.byobRequest?.view
          const chunk = room ? windowOf(room, to - at) : Buffer.allocUnsafeSlow(Math.min(chunkBytes, to - at))
          await fill(chunk, handle, at, store)
          if (signal?.aborted) return
          at += chunk.byteLength
          if (room) controller.byobRequest?.respond(chunk.byteLength)
          else controller.enqueue(chunk)
        } catch (err) {
          await end()
          throw err
        }
        if (at < to) return
        await end()
        controller.close()
        // A reader that asked for more in the meantime waits with its buffer, which a close alone does not give back.
        controller.byobRequest?.respond(0)
      },
      cancel: end,
    },
    { highWaterMark: 0 },
  )
}

/** What is left of the file, or as much of it as the reader has room for. */
const windowOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView<ArrayBuffer>, left: number): Uint8Array<ArrayBuffer> =>
  new Uint8Array(buffer, byteOffset, Math.min(byteLength, left))

const fill = async <B extends Uint8Array>(bytes: B, handle: FileHandle, from: number, store: string): Promise<B> => {
  let filled = 0
  while (filled < bytes.byteLength) {
    const { bytesRead } = await handle.read(bytes, filled, bytes.byteLength - filled, from + filled)
    if (bytesRead === 0) throw new RindleError('storage_failed', { operation: 'read', store })
    filled += bytesRead
  }
  return bytes
}
