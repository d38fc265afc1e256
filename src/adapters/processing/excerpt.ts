import { readFile } from 'node:fs/promises'
import type { Excerpt } from '../../core/ports/jail.ts'

/** What is read beyond the beginning, at least; more and more where one window follows the other. */
const windowBytes = 64 * 1024
const mostBytes = 1024 * 1024

/**
 * A file as a Blob that can be looked into anywhere, where `path` holds only its beginning and `read` brings the rest. One window of the rest
 * is kept at a time, so memory does not grow with the file.
 */
export const blobOf = async (path: string, { sizeBytes, read }: Pick<Excerpt, 'sizeBytes' | 'read'>): Promise<Blob> => {
  const head = { start: 0, bytes: new Uint8Array(await readFile(path)) }
  let window = head

  const fill = async (into: Uint8Array, from: number): Promise<void> => {
    for (let at = from; at < from + into.byteLength;) {
      const missing = from + into.byteLength - at
      const near = [head, window].find(({ start, bytes }) => at >= start && at < start + bytes.byteLength)
      const found = near ?? (window = { start: at, bytes: await next(at, missing) })
      const bytes = found.bytes.subarray(at - found.start, at - found.start + missing)
      into.set(bytes, at - from)
      at += bytes.byteLength
    }
  }
  const next = async (at: number, wanted: number): Promise<Uint8Array<ArrayBuffer>> => {
    const goesOn = at === window.start + window.bytes.byteLength
    const length = Math.max(windowBytes, wanted, goesOn ? 2 * window.bytes.byteLength : 0)
    return new Uint8Array(await read(at, Math.min(sizeBytes, at + Math.min(mostBytes, length))))
  }

  const looking = {
    size: sizeBytes,
    type: '',
    slice: (start: number, end: number) => ({
      async arrayBuffer() {
        const bytes = new Uint8Array(Math.max(0, Math.min(end, sizeBytes) - start))
        await fill(bytes, start)
        return bytes.buffer
      },
    }),
  }
  return looking as unknown as Blob
}
