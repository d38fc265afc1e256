import { open, type FileHandle } from 'node:fs/promises'
import { isAll } from './bytes.ts'
import { holdsElements } from './ebml-notes.ts'
import { tagSpansOf } from './mpeg-tags.ts'
import { linksOf } from './ogg-links.ts'
import { readAt } from './windows.ts'

/**
 * True where a file has notes that ffprobe does not show: blocks of applications, programs of broadcasters, ID3 and APE, tags behind the
 * clusters of Matroska, a second Ogg behind the first. An answer too many costs a copy.
 */
export const saysMore = async (path: string, contentType: string): Promise<boolean> => {
  const look = looks[contentType]
  if (!look) return false
  await using file = await open(path)
  return await look(file, (await file.stat()).size)
}

type Look = (file: FileHandle, size: number) => Promise<boolean>

const mostBlocks = 4_096
/** The type of such a block of FLAC. */
const padding = 1
/** What a player needs of a WAV file. */
const waveChunks: ReadonlySet<string> = new Set(['fmt ', 'fact', 'data', 'ds64', 'PEAK'])
/** Room that was left free, and has to be empty. */
const waveFillers: ReadonlySet<string> = new Set(['JUNK', 'junk', 'PAD ', 'FLLR'])

const looksIntoWave: Look = async (file, size) => {
  let at = 12
  for (let count = 0; at + 8 <= size && count < mostBlocks; count += 1) {
    const head = await readAt(file, at, 8)
    const [type, length] = [head.toString('latin1', 0, 4), head.readUInt32LE(4)]
    const isEmpty = waveFillers.has(type) && (await isZero(file, at + 8, length))
    if (!waveChunks.has(type) && !isEmpty) return true
    at += 8 + length + (length & 1)
  }
  return at < size
}

const stepBytes = 1_048_576

const isZero = async (file: FileHandle, start: number, length: number): Promise<boolean> => {
  for (let at = start; at < start + length; at += stepBytes) {
    const bytes = await readAt(file, at, Math.min(stepBytes, start + length - at))
    if (!isAll(bytes, 0)) return false
    if (bytes.length === 0) return true
  }
  return true
}

/** Only the description of the stream, seek points, padding that is empty, and the empty comment that every encoder writes. */
const looksIntoFlac: Look = async (file, size) => {
  if ((await readAt(file, 0, 4)).toString('latin1') !== 'fLaC') return true
  for (let at = 4, count = 0; at + 4 <= size && count < mostBlocks; count += 1) {
    const head = await readAt(file, at, 4)
    const type = (head[0] ?? 0) & 0x7f
    if (type === 2 || type === 5 || type === 6 || type > 6) return true
    const length = head.readUIntBE(1, 3)
    if (type === padding && !(await isZero(file, at + 4, length))) return true
    if ((head[0] ?? 0) & 0x80) return hasTagAtEnd(file, size)
    at += 4 + length
  }
  return true
}

/** What does not begin with a frame begins with a tag, or with what is left of one. */
const looksIntoMpeg: Look = async (file, size) => {
  const [sync = 0, rest = 0] = await readAt(file, 0, 2)
  return sync !== 0xff || rest < 0xe0 || (await hasTagAtEnd(file, size)) || (await tagSpansOf(file)).length > 0
}

const hasTagAtEnd = async (file: FileHandle, size: number): Promise<boolean> => {
  const tail = (await readAt(file, Math.max(0, size - 4_096), 4_096)).toString('latin1')
  return tail.slice(-128).startsWith('TAG') || /APETAGEX|LYRICS(?:BEGIN|200)|3DI|TAG\+/.test(tail)
}

const looksIntoOgg: Look = async (file) => (await linksOf(file)) !== 'one'

const looks: Readonly<Record<string, Look>> = {
  'audio/wav': looksIntoWave,
  'audio/flac': looksIntoFlac,
  'audio/mpeg': looksIntoMpeg,
  'audio/ogg': looksIntoOgg,
  'video/ogg': looksIntoOgg,
  'audio/webm': holdsElements,
  'video/webm': holdsElements,
  'video/matroska': holdsElements,
}
