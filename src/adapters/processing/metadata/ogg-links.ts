import type { FileHandle } from 'node:fs/promises'
import { readAt } from './windows.ts'

/** `chained`: a second recording begins where the first has ended, and ffmpeg would carry its comment along as sound. */
export type Links = 'one' | 'copied well' | 'chained'

const pageHeaderBytes = 27
/** More pages than a day of sound has. */
const mostPages = 262_144

/** Looks at every page. Junk between pages, and more of them than any tool writes, count as what a copy takes away. */
export const linksOf = async (file: FileHandle): Promise<Links> => {
  const { size } = await file.stat()
  let window: { at: number; bytes: Buffer } = { at: 0, bytes: Buffer.alloc(0) }
  const read = async (at: number, length: number): Promise<Buffer> => {
    if (at < window.at || at + length > window.at + window.bytes.length) window = { at, bytes: await readAt(file, at, 262_144) }
    return window.bytes.subarray(at - window.at, at - window.at + length)
  }
  let found: Links = 'one'
  let hasData = false
  let allOpus = true
  for (let at = 0, count = 0; at < size; count += 1) {
    const head = await read(at, pageHeaderBytes + 255 + 8)
    const segments = head[26] ?? 0
    if (head.toString('latin1', 0, 4) !== 'OggS' || count > mostPages) return found === 'one' ? 'copied well' : found
    const table = head.subarray(pageHeaderBytes, pageHeaderBytes + segments)
    const isBeginning = ((head[5] ?? 0) & 2) !== 0
    if (isBeginning) allOpus &&= head.toString('latin1', pageHeaderBytes + segments, pageHeaderBytes + segments + 8) === 'OpusHead'
    if (isBeginning && hasData) found = allOpus ? 'copied well' : 'chained'
    if (found === 'chained') return found
    hasData ||= !isBeginning
    at += pageHeaderBytes + segments + table.reduce((sum, one) => sum + one, 0)
  }
  return found
}
