import { type ByteAt, walkThrough } from '../byte-window.ts'

/** How the pictures of an AVIF are coded: of all that are in it, the most. */
interface Av1Coding {
  readonly bitsPerSample: number
  readonly chroma: '4:2:0' | '4:2:2' | '4:4:4'
}

/**
 * Reads it from what the file says of its items: every picture in it, also tiles and alpha. Null where nothing is said.
 *
 * @see https://aomediacodec.github.io/av1-isobmff/#av1codecconfigurationbox
 */
export const av1CodingOf = (path: string): Av1Coding | null =>
  walkThrough(path, (byteAt) => {
    const codings = propertiesIn(byteAt).map((at) => codingOf(byteAt(at + 2) ?? 0))
    if (codings.length === 0) return null
    const bitsPerSample = Math.max(...codings.map(({ bits }) => bits))
    const chroma = chromas[Math.max(...codings.map(({ halved }) => 2 - halved))] ?? '4:4:4'
    return { bitsPerSample, chroma }
  })

const chromas = ['4:2:0', '4:2:2', '4:4:4'] as const

/** Without colour it takes no more than with the least of it. */
const codingOf = (flags: number): { readonly bits: number; readonly halved: number } => ({
  bits: flags & 0x40 ? (flags & 0x20 ? 12 : 10) : 8,
  halved: flags & 0x10 ? 2 : ((flags >> 3) & 1) + ((flags >> 2) & 1),
})

interface Range {
  readonly start: number
  readonly end: number
}

const propertiesIn = (byteAt: ByteAt): number[] => {
  const inside = (ranges: readonly Range[], type: string, skipped = 0): Range[] =>
    ranges.flatMap(({ start, end }) => boxesIn(byteAt, start + skipped, end, type))
  const file: Range = { start: 0, end: Number.MAX_SAFE_INTEGER }
  const containers = inside(inside(inside([file], 'meta'), 'iprp', 4), 'ipco')
  return inside(containers, 'av1C').map(({ start }) => start)
}

const mostBoxes = 4_096

const boxesIn = (byteAt: ByteAt, from: number, end: number, type: string): Range[] => {
  const found: Range[] = []
  let at = from
  for (let boxes = 0; boxes < mostBoxes && at + 8 <= end && byteAt(at + 7) !== null; boxes += 1) {
    const size = bigEndian(byteAt, at, 4)
    const header = size === 1 ? 16 : 8
    const length = size === 1 ? bigEndian(byteAt, at + 8, 8) : size === 0 ? end - at : size
    if (length < header) break
    const name = String.fromCharCode(...[4, 5, 6, 7].map((offset) => byteAt(at + offset) ?? 0))
    if (name === type) found.push({ start: at + header, end: Math.min(end, at + length) })
    at += length
  }
  return found
}

const bigEndian = (byteAt: ByteAt, at: number, bytes: number): number => {
  let value = 0
  for (let offset = 0; offset < bytes; offset += 1) value = value * 256 + (byteAt(at + offset) ?? 0)
  return value
}
