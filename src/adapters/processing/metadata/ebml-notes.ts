import type { FileHandle } from 'node:fs/promises'
import { saysPlace } from './place-words.ts'
import { readAt, windowsOf } from './windows.ts'

/** What a container says of its own making, and what a player needs. */
export const technical =
  /^(?:encoder|duration|duration-\w{3}|language|alpha_mode|stereo_mode|title-eng|_statistics_\w+|bps|bps-\w{3}|number_of_\w+)$/i

const tagsId = '1254c367'
/** Tags, chapters and attachments. */
const ids = [tagsId, '1043a770', '1941a469'].map((hex) => Buffer.from(hex, 'hex'))
/** What stands before them where they are only listed. */
const listed = Buffer.from('53ab84', 'hex')
const mostTagBytes = 65_536
const mostLooks = 256

/**
 * True where a Matroska or WebM file holds tags, chapters or attachments, wherever they stand: live muxers write them behind the clusters, where
 * ffprobe does not look. Tags that are only technical do not count. Bytes that look like one count, and cost a copy.
 */
export const holdsElements = async (file: FileHandle): Promise<boolean> => {
  let looks = 0
  for await (const { at, bytes } of windowsOf(file, 8))
    for (const id of ids)
      for (let hit = bytes.indexOf(id); hit >= 0; hit = bytes.indexOf(id, hit + 1)) {
        if (hit >= 3 && bytes.subarray(hit - 3, hit).equals(listed)) continue
        looks += 1
        if (looks > mostLooks || id.toString('hex') !== tagsId || !isTechnical(await readAt(file, at + hit + 4, mostTagBytes))) return true
      }
  return false
}

interface Element {
  readonly id: string
  readonly body: Buffer
  readonly end: number
}

const elementAt = (bytes: Buffer, start: number): Element | null => {
  const idLength = Math.clz32((bytes[start] ?? 0) << 24) + 1
  const sizeAt = start + idLength
  const sizeLength = Math.clz32((bytes[sizeAt] ?? 0) << 24) + 1
  const from = sizeAt + sizeLength
  if (idLength > 4 || sizeLength > 8 || from > bytes.length) return null
  const size = sizeOf(bytes.subarray(sizeAt, from))
  return from + size > bytes.length
    ? null
    : { id: bytes.toString('hex', start, sizeAt), body: bytes.subarray(from, from + size), end: from + size }
}

/** Without the bit that says how long the number is. */
const sizeOf = (field: Buffer): number => field.reduce((sum, one) => sum * 256 + one, 0) - 2 ** (7 * field.length)

/** `bytes` begin with the size of the tags. */
const isTechnical = (bytes: Buffer): boolean => {
  const sizeLength = Math.clz32((bytes[0] ?? 0) << 24) + 1
  if (sizeLength > 8 || sizeLength > bytes.length) return false
  const end = sizeLength + sizeOf(bytes.subarray(0, sizeLength))
  return end <= bytes.length && areTechnical(bytes.subarray(sizeLength, end), tagsId)
}

/** Check sums and padding. */
const filling = ['bf', 'ec']
/** What may stand in what. */
const inside: Readonly<Record<string, readonly string[]>> = { [tagsId]: ['7373', ...filling], '7373': ['63c0', '67c8', ...filling] }

const areTechnical = (bytes: Buffer, parent: string): boolean => {
  for (let at = 0; at < bytes.length;) {
    const element = elementAt(bytes, at)
    if (!element || !inside[parent]?.includes(element.id)) return false
    if (element.id === '7373' && !areTechnical(element.body, element.id)) return false
    if (element.id === '67c8' && !isTechnicalTag(element.body)) return false
    at = element.end
  }
  return true
}

const isTechnicalTag = (bytes: Buffer): boolean => {
  for (let at = 0; at < bytes.length;) {
    const element = elementAt(bytes, at)
    if (!element) return false
    const text = element.body.toString('utf8')
    const isName = element.id === '45a3'
    if (isName ? !technical.test(text) : !['4487', '447a', '447b', '4484', ...filling].includes(element.id) || saysPlace(text)) return false
    at = element.end
  }
  return true
}
