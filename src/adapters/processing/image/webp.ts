import { type ByteAt, walkThrough } from '../byte-window.ts'
import type { Size } from './geometry.ts'

/** What a WebP says of itself before anything is decoded. */
export interface Announced extends Size {
  readonly frames: number
}

/**
 * Reads the canvas and counts the frames of a WebP by its chunks: the library that would be asked sets the canvas up to answer, and goes
 * through all frames once for each of them. Null for what is no WebP. What breaks off has as many frames as were seen.
 *
 * @see https://developers.google.com/speed/webp/docs/riff_container
 */
export const announcedBy = (path: string): Announced | null =>
  walkThrough(path, (byteAt) => {
    const canvas = canvasIn(byteAt)
    return canvas && { ...canvas, frames: framesIn(byteAt) }
  })

const firstChunk = 12
const chunkHeader = 8
/** A longer animation than any, by a thousand times; the count of chunks ends here. */
const mostChunks = 1_000_000

const canvasIn = (byteAt: ByteAt): Size | null => {
  const name = nameAt(byteAt, firstChunk)
  const from = firstChunk + chunkHeader
  if (nameAt(byteAt, 0) !== 'RIFF' || nameAt(byteAt, 8) !== 'WEBP' || byteAt(from + 9) === null) return null
  const bits = (at: number, bytes: number): number => littleEndian(byteAt, from + at, bytes)
  if (name === 'VP8X') return { width: bits(4, 3) + 1, height: bits(7, 3) + 1 }
  if (name === 'VP8L') return { width: (bits(1, 4) & 0x3fff) + 1, height: ((bits(1, 4) >>> 14) & 0x3fff) + 1 }
  if (name === 'VP8 ') return { width: bits(6, 2) & 0x3fff, height: bits(8, 2) & 0x3fff }
  return null
}

const framesIn = (byteAt: ByteAt): number => {
  let frames = 0
  let at = firstChunk
  for (let chunks = 0; chunks < mostChunks && byteAt(at + chunkHeader - 1) !== null; chunks += 1) {
    if (nameAt(byteAt, at) === 'ANMF') frames += 1
    const length = littleEndian(byteAt, at + 4, 4)
    at += chunkHeader + length + (length % 2)
  }
  return Math.max(1, frames)
}

const nameAt = (byteAt: ByteAt, at: number): string => String.fromCharCode(...[0, 1, 2, 3].map((offset) => byteAt(at + offset) ?? 0))

const littleEndian = (byteAt: ByteAt, at: number, bytes: number): number => {
  let value = 0
  for (let offset = bytes - 1; offset >= 0; offset -= 1) value = value * 256 + (byteAt(at + offset) ?? 0)
  return value
}
