import { open, type FileHandle } from 'node:fs/promises'
import { canonicalType } from '../../../core/content-type.ts'

/** What the outermost structure of a container says of itself. */
type Outline = 'whole' | 'cut' | 'refers elsewhere'

/**
 * Looks at the outermost boxes, chunks or pages, where a demuxer makes do with less: whether the file ends before they do, and whether a
 * track of an MP4 or MOV lies in another file. `whole` also where nothing of the kind can be told.
 */
export const outlineOf = async (path: string, contentType: string): Promise<Outline> => {
  const look = looks[canonicalType(contentType)]
  if (!look) return 'whole'
  await using file = await open(path)
  return await look(file, (await file.stat()).size)
}

type Look = (file: FileHandle, size: number) => Promise<Outline>

const read = async (file: FileHandle, start: number, length: number): Promise<Buffer> => {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, start)
  return buffer.subarray(0, bytesRead)
}

interface Box {
  readonly type: string
  readonly start: number
  readonly body: number
  readonly end: number
}

/** The boxes of ISO base media between two offsets; the last may claim to end beyond. What is no box ends it. */
async function* boxesIn(file: FileHandle, start: number, end: number): AsyncGenerator<Box> {
  for (let at = start; at + 8 <= end;) {
    const head = await read(file, at, 16)
    if (head.length < 8) return
    const [short, type] = [head.readUInt32BE(0), head.toString('latin1', 4, 8)]
    const isLong = short === 1 && head.length === 16
    const size = isLong ? Number(head.readBigUInt64BE(8)) : short === 0 ? end - at : short
    if (size < (isLong ? 16 : 8)) return
    yield { type, start: at, body: at + (isLong ? 16 : 8), end: at + size }
    at += size
  }
}

const essential: ReadonlySet<string> = new Set(['moov', 'mdat', 'moof', 'ftyp'])

/** An hour in fragments of a tenth of a second has a quarter of it; more boxes than that are a trap. */
const mostBoxes = 300_000

const lookIntoBoxes: Look = async (file, size) => {
  let seen = 0
  for await (const box of boxesIn(file, 0, size)) {
    if (++seen > mostBoxes) return 'cut'
    if (box.end > size) return essential.has(box.type) ? 'cut' : 'whole'
    if (box.type !== 'moov') continue
    if (await refersElsewhere(file, box, ['trak', 'mdia', 'minf', 'dinf', 'dref'])) return 'refers elsewhere'
    for await (const { type } of boxesIn(file, box.body, box.end)) if (type === otherMovies) return 'refers elsewhere'
  }
  return 'whole'
}

/** Addresses of other movies that QuickTime plays in place of this one. */
const otherMovies = 'rmra'
const selfContained = 1

/** Follows one path of boxes down to the lists of data references, of which each has to be the file itself. */
const refersElsewhere = async (file: FileHandle, { body, end }: Box, [next, ...deeper]: readonly string[]): Promise<boolean> => {
  if (next === undefined) {
    for await (const entry of boxesIn(file, body + 8, end)) {
      const names = entry.end - entry.body > 4
      const flags = names ? await read(file, entry.body, 4) : null
      if (flags?.length === 4 && (flags.readUInt8(3) & selfContained) === 0) return true
    }
    return false
  }
  for await (const box of boxesIn(file, body, end)) if (box.type === next && (await refersElsewhere(file, box, deeper))) return true
  return false
}

/** Recorders that could not go back write nothing, or everything, where the length belongs; some count the eight bytes of its own header. */
const lookIntoChunks =
  (name: string, isBigEndian: boolean): Look =>
  async (file, size) => {
    for (let at = 0; at + 8 <= size;) {
      const head = await read(file, at, 8)
      const length = isBigEndian ? head.readUInt32BE(4) : head.readUInt32LE(4)
      if (head.length < 8 || head.toString('latin1', 0, 4) !== name || length === 0 || length === 0xffffffff) return 'whole'
      if (at + length > size) return 'cut'
      at += 8 + length + (length % 2)
    }
    return 'whole'
  }

const longestPage = 65_307
const pageHeaderBytes = 27

/** The last page has to end with the file. */
const lookIntoPages: Look = async (file, size) => {
  const start = Math.max(0, size - longestPage)
  const tail = await read(file, start, size - start)
  const at = tail.lastIndexOf('OggS')
  if (at < 0 || at + pageHeaderBytes > tail.length) return 'cut'
  const segments = tail[at + pageHeaderBytes - 1] ?? 0
  const table = tail.subarray(at + pageHeaderBytes, at + pageHeaderBytes + segments)
  const end = at + pageHeaderBytes + segments + table.reduce((sum, one) => sum + one, 0)
  return table.length < segments || end > tail.length ? 'cut' : 'whole'
}

const looks: Readonly<Record<string, Look>> = {
  ...Object.fromEntries(
    ['video/mp4', 'audio/mp4', 'video/quicktime', 'video/3gpp', 'video/3gpp2'].map((type) => [type, lookIntoBoxes] as const),
  ),
  'audio/wav': lookIntoChunks('RIFF', false),
  'video/x-msvideo': lookIntoChunks('RIFF', false),
  'audio/aiff': lookIntoChunks('FORM', true),
  'audio/ogg': lookIntoPages,
  'video/ogg': lookIntoPages,
}
