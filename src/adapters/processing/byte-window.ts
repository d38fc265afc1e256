import { closeSync, openSync, readSync } from 'node:fs'

/** The byte at a place of a file; null beyond its end. */
export type ByteAt = (at: number) => number | null

const windowBytes = 256 * 1024

/** Lends a file byte by byte to what walks through it from its beginning to its end. Memory does not grow with the file. */
export const walkThrough = <T>(path: string, walk: (byteAt: ByteAt) => T): T => {
  const descriptor = openSync(path, 'r')
  try {
    return walk(windowOver(descriptor))
  } finally {
    closeSync(descriptor)
  }
}

const windowOver = (descriptor: number): ByteAt => {
  const window = Buffer.allocUnsafe(windowBytes)
  let start = 0
  let length = 0
  return (at) => {
    if (at < start || at >= start + length) {
      start = at
      length = readSync(descriptor, window, 0, windowBytes, at)
    }
    return at < start + length ? (window[at - start] ?? null) : null
  }
}
