import type { MetadataPolicy } from '../../../core/metadata-policy.ts'
import { stripMovie } from './bmff.ts'
import { type Bytes, inside, isRefusal, partOf, stepsOf } from './bytes.ts'
import type { Span } from '../../../core/span.ts'
import { stripJpeg } from './jpeg.ts'

/** A JPEG file and all that stands behind its picture. @throws RindleError `metadata_not_removable` */
export const stripJpegFile = (bytes: Bytes, policy: MetadataPolicy): void => stripTrailer(bytes, stripJpeg(bytes, policy), policy)

/** More pictures and films than any phone appends. */
const mostParts = 64

/**
 * What stands behind the end of a picture: further pictures (a gain map, a second camera) and the film of a motion photo are walked as such,
 * the directory of Samsung's own parts stays so that they are found, and everything else is zero.
 */
export const stripTrailer = (bytes: Bytes, from: number, policy: MetadataPolicy): void => {
  const kept = samsungParts(bytes, from)
  let at = from
  for (let parts = 0; at < bytes.size && parts < mostParts; parts += 1) {
    const found = nextPart(bytes, at)
    if (!found) break
    blankBut(bytes, at, found.start, kept)
    at = found.start
    try {
      at += (found.film ? stripMovie : stripJpeg)(partOf(bytes, at), policy)
    } catch (err) {
      if (!isRefusal(err)) throw err
      break
    }
  }
  blankBut(bytes, at, bytes.size, kept)
}

const nextPart = (bytes: Bytes, from: number): { start: number; film: boolean } | null => {
  for (const { at, chunk } of stepsOf(bytes, 8, from)) {
    const picture = chunk.indexOf('ffd8ff', 0, 'hex')
    const film = chunk.indexOf('ftyp', 0, 'latin1')
    const filmStart = film >= 4 && at + film - 4 >= from ? film - 4 : -1
    if (picture >= 0 && (filmStart < 0 || picture < filmStart)) return { start: at + picture, film: false }
    if (filmStart >= 0) return { start: at + filmStart, film: true }
  }
  return null
}

const blankBut = (bytes: Bytes, start: number, end: number, kept: readonly Span[]): void => {
  let at = start
  for (const span of kept) {
    if (span.end <= at || span.start >= end) continue
    if (span.start > at) bytes.fill(at, span.start, 0)
    at = span.end
  }
  if (at < end) bytes.fill(at, end, 0)
}

/** Blocks that hold no place; their heads and contents stay. Of others even the name goes. */
const samsungNames = /^(?:Image_UTC_Data|MotionPhoto_\w+)$/
const mostBlocks = 256

/** The directory at the end of what Samsung's cameras append, and the heads of its known parts: a film itself is walked for itself. */
const samsungParts = (bytes: Bytes, from: number): Span[] => {
  const tail = bytes.size - 8
  if (tail < from || bytes.read(tail + 4, 4).toString('latin1') !== 'SEFT') return []
  const start = tail - bytes.read(tail, 4).readUInt32LE(0)
  if (start < from || !inside(start, 12, tail) || bytes.read(start, 4).toString('latin1') !== 'SEFH') return []
  const count = bytes.read(start + 8, 4).readUInt32LE(0)
  if (count > mostBlocks || !inside(start + 12, count * 12, bytes.size)) return []
  const spans: Span[] = [
    { start, end: start + 12 + count * 12 },
    { start: tail, end: bytes.size },
  ]
  for (let index = 0; index < count; index += 1) {
    const row = bytes.read(start + 12 + index * 12, 12)
    const block = start - row.readUInt32LE(4)
    const length = row.readUInt32LE(8)
    if (block < from || length < 8 || block + length > start) continue
    const named = bytes.read(block + 4, 4).readUInt32LE(0)
    if (named > 64 || named + 8 > length) continue
    const name = bytes.read(block + 8, named).toString('latin1')
    if (samsungNames.test(name))
      spans.push({ start: block, end: block + Math.min(length, 8 + named + (name === 'MotionPhoto_Data' ? 0 : 64)) })
  }
  return spans.sort((one, other) => one.start - other.start)
}
