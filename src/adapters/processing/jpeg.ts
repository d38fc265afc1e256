import { closeSync, openSync, readSync } from 'node:fs'

/**
 * How many scans a JPEG has, counted by its markers: a decoder goes through the whole picture once for each. Counts on until `enough`;
 * what breaks off has as many as were seen. Memory does not grow with the file.
 *
 * @see https://www.w3.org/Graphics/JPEG/itu-t81.pdf section B.1.1
 */
export const countScans = (path: string, enough: number): number => {
  const descriptor = openSync(path, 'r')
  try {
    const byteAt = windowOver(descriptor)
    let scans = 0
    for (let at = afterStart; scans < enough;) {
      const found = nextMarker(byteAt, at)
      if (found === null || found.marker === endOfImage) break
      if (found.marker === startOfScan) scans += 1
      at = found.next + (byteAt(found.next) ?? 0) * 256 + (byteAt(found.next + 1) ?? 0)
    }
    return scans
  } finally {
    closeSync(descriptor)
  }
}

const afterStart = 2
const endOfImage = 0xd9
const startOfScan = 0xda
const windowBytes = 256 * 1024

type ByteAt = (at: number) => number | null

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

/** The first marker from here on that is not stuffing, padding or a restart, and where its content begins; null at the end of the file. */
const nextMarker = (byteAt: ByteAt, from: number): { readonly marker: number; readonly next: number } | null => {
  for (let at = from; ; at += 1) {
    const byte = byteAt(at)
    if (byte === null) return null
    if (byte !== 0xff) continue
    const marker = byteAt(at + 1)
    if (marker === null) return null
    const isRestart = marker >= 0xd0 && marker <= 0xd7
    if (marker !== 0 && marker !== 0xff && !isRestart) return { marker, next: at + 2 }
  }
}
