import { type ByteAt, walkThrough } from '../byte-window.ts'

/**
 * How many scans a JPEG has, counted by its markers: a decoder goes through the whole picture once for each. Counts on until `enough`;
 * what breaks off has as many as were seen. Memory does not grow with the file.
 *
 * @see https://www.w3.org/Graphics/JPEG/itu-t81.pdf section B.1.1
 */
export const countScans = (path: string, enough: number): number =>
  walkThrough(path, (byteAt) => {
    let scans = 0
    for (let at = afterStart; scans < enough;) {
      const found = nextMarker(byteAt, at)
      if (found === null || found.marker === endOfImage) break
      if (found.marker === startOfScan) scans += 1
      at = found.next + (byteAt(found.next) ?? 0) * 256 + (byteAt(found.next + 1) ?? 0)
    }
    return scans
  })

const afterStart = 2
const endOfImage = 0xd9
const startOfScan = 0xda

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
