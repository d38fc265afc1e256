import type { FileHandle } from 'node:fs/promises'
import { readAt } from './windows.ts'

/**
 * What follows one page after the other. `chained`: a second recording begins where the first has ended; ffmpeg would carry its comment along as
 * sound, or play on where the first was to be cut short. `more`: there is junk between pages, which a copy takes away.
 */
type Links = 'one' | 'more' | 'chained'

const pageHeaderBytes = 27
/** More pages than a day of sound has. */
const mostPages = 262_144

/** Looks at every page. More of them than any tool writes count as junk. */
export const linksOf = async (file: FileHandle): Promise<Links> => {
  const { size } = await file.stat()
  let window: { at: number; bytes: Buffer } = { at: 0, bytes: Buffer.alloc(0) }
  const read = async (at: number, length: number): Promise<Buffer> => {
    if (at < window.at || at + length > window.at + window.bytes.length) window = { at, bytes: await readAt(file, at, 262_144) }
    return window.bytes.subarray(at - window.at, at - window.at + length)
  }
  let hasData = false
  for (let at = 0, count = 0; at < size; count += 1) {
    const head = await read(at, pageHeaderBytes + 255)
    const segments = head[26] ?? 0
    if (head.toString('latin1', 0, 4) !== 'OggS' || count > mostPages) return 'more'
    const isBeginning = ((head[5] ?? 0) & 2) !== 0
    if (isBeginning && hasData) return 'chained'
    hasData ||= !isBeginning
    const table = head.subarray(pageHeaderBytes, pageHeaderBytes + segments)
    at += pageHeaderBytes + segments + table.reduce((sum, one) => sum + one, 0)
  }
  return 'one'
}
