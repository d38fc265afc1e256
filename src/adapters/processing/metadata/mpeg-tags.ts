import { open, type FileHandle } from 'node:fs/promises'
import type { Span } from '../../../core/span.ts'
import { readAt, windowsOf } from './windows.ts'

/** The longest head that a tag is told by, with what follows an ID3v1. */
const headBytes = 130
/** Each recording that was joined has two or three. */
const mostTags = 65_536
const signs = ['ID3', 'TAG', 'APETAGEX'] as const

/** ID3 and APE wherever they stand, as in files that were joined: ffmpeg takes out those at both ends only. In order, without overlaps. */
export const tagSpansOf = async (file: FileHandle): Promise<Span[]> => {
  const { size } = await file.stat()
  const spans: Span[] = []
  for await (const { at, bytes } of windowsOf(file, headBytes))
    for (const sign of signs)
      for (let hit = bytes.indexOf(sign, 0, 'latin1'); hit >= 0; hit = bytes.indexOf(sign, hit + 1, 'latin1')) {
        // What the window cuts off stands whole in the next.
        if (hit + headBytes > bytes.length && at + bytes.length < size) break
        const span = spanAt(bytes.subarray(hit, hit + headBytes), at + hit)
        if (spans.length > mostTags) break
        if (span) spans.push({ start: Math.max(0, span.start), end: Math.min(size, span.end) })
      }
  const merged: { start: number; end: number }[] = []
  for (const { start, end } of spans.toSorted((a, b) => a.start - b.start)) {
    const last = merged.at(-1)
    if (last && start <= last.end) last.end = Math.max(last.end, end)
    else merged.push({ start, end })
  }
  return merged
}

const spanAt = (head: Buffer, start: number): Span | null => {
  const [major = 0, minor = 0, flags = 0] = head.subarray(3)
  if (head.toString('latin1', 0, 3) === 'ID3') {
    const digits = head.subarray(6, 10)
    if (digits.length < 4 || major < 2 || major > 4 || minor > 15 || (flags & 15) !== 0 || digits.some((one) => one > 127)) return null
    const size = digits.reduce((sum, one) => sum * 128 + one, 0)
    return { start, end: start + 10 + size + (major === 4 && flags & 16 ? 10 : 0) }
  }
  if (head.toString('latin1', 0, 3) === 'TAG') {
    if (head.length < 128 || head.subarray(0, 97).some((one) => one !== 0 && one < 9)) return null
    const isFollowed = head.length === 128 || head.toString('latin1', 128, 130) === 'ID' || (head[128] === 0xff && (head[129] ?? 0) >= 0xe0)
    return isFollowed ? { start, end: start + 128 } : null
  }
  if (head.length < 32) return null
  const [size, isHeader] = [head.readUInt32LE(12), (head.readUInt32LE(20) & 0x20000000) !== 0]
  return isHeader ? { start, end: start + 32 + size } : { start: start + 32 - size, end: start + 32 }
}

const stepBytes = 1_048_576

/** A copy of what lies between the spans. */
export const copyWithout = async (path: string, copyPath: string, spans: readonly Span[]): Promise<void> => {
  await using source = await open(path)
  await using copy = await open(copyPath, 'wx')
  const { size } = await source.stat()
  let at = 0
  for (const { start, end } of [...spans, { start: size, end: size }]) {
    while (at < start) {
      const bytes = await readAt(source, at, Math.min(stepBytes, start - at))
      await copy.writeFile(bytes)
      at += bytes.length
    }
    at = end
  }
}
