import { open, type FileHandle } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import { decodeProblem, type ImageHeader } from './header.ts'

/**
 * How many frames a picture has, also where its decoder shows the first alone: in an animated PNG, whose frames have to be numbered and whole,
 * and in a sequence of HEIC or AVIF. They are counted, and not decoded.
 *
 * @throws RindleError `decode_failed`
 */
export const framesIn = async (path: string, header: ImageHeader): Promise<number> => {
  const look = looks[header.contentType]
  if (!look) return header.frames
  await using file = await open(path)
  const frames = await look(file, (await file.stat()).size)
  if (frames === null) throw decodeProblem(header.contentType, null)
  return Math.max(header.frames, frames)
}

/** Null for what is broken. */
type Look = (file: FileHandle, size: number) => Promise<number | null>

const readAt = async (file: FileHandle, start: number, length: number): Promise<Buffer> => {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, start)
  return buffer.subarray(0, bytesRead)
}

const mostPieces = 131_072

/** @see https://www.w3.org/TR/png-3/#apng-frame-based-animation */
const lookIntoPng: Look = async (file, size) => {
  let [announced, controls, sequence, pieces, hasPicture, isFed] = [0, 0, 0, 0, false, true]
  for (let at = 8; at + 12 <= size; pieces += 1) {
    const head = await readAt(file, at, 12)
    const [length, type] = [head.readUInt32BE(0), head.toString('latin1', 4, 8)]
    if (at + 12 + length > size || pieces > mostPieces) return announced === 0 ? 1 : null
    if (type === 'acTL' && !hasPicture) announced = length === 8 ? head.readUInt32BE(8) : -1
    if (type === 'IDAT') [hasPicture, isFed] = [true, true]
    if (announced < 0) return null
    if (announced > 0 && (type === 'fcTL' || type === 'fdAT')) {
      const isControl = type === 'fcTL'
      const isShaped = isControl ? length === 26 && isFed : length > 4 && hasPicture && controls > 0
      if (!isShaped || head.readUInt32BE(8) !== sequence || !(await isSound(file, at, length))) return null
      sequence += 1
      controls += isControl ? 1 : 0
      isFed = !isControl
    }
    if (type === 'IEND') break
    at += 12 + length
  }
  if (announced === 0) return 1
  return controls === announced && isFed ? announced : null
}

const stepBytes = 1_048_576

/** Whether a chunk is what its check sum says. */
const isSound = async (file: FileHandle, start: number, length: number): Promise<boolean> => {
  let sum = 0
  const end = start + 8 + length
  for (let at = start + 4; at < end; at += stepBytes) sum = crc32(await readAt(file, at, Math.min(stepBytes, end - at)), sum)
  return (await readAt(file, end, 4)).readUInt32BE(0) === sum
}

/** The boxes between a movie and the table of a track's samples. */
const onTheWay: ReadonlySet<string> = new Set(['moov', 'trak', 'mdia', 'minf', 'stbl'])

/** The longest track counts; where samples come in fragments, nobody knows how many, and it is broken. */
const lookIntoBoxes: Look = async (file, size) => {
  let pieces = 0
  const longest = async (start: number, end: number): Promise<number | null> => {
    let most = 1
    for (let at = start; at + 8 <= end;) {
      const head = await readAt(file, at, 20)
      const [short, type] = [head.readUInt32BE(0), head.toString('latin1', 4, 8)]
      const long = short === 1 && head.length >= 16
      const length = long ? Number(head.readBigUInt64BE(8)) : short === 0 ? end - at : short
      if (length < (long ? 16 : 8) || (pieces += 1) > mostPieces || type === 'mvex') return type === 'mvex' ? null : most
      const found = onTheWay.has(type)
        ? await longest(at + (long ? 16 : 8), Math.min(end, at + length))
        : ['stsz', 'stz2'].includes(type) && head.length === 20
          ? head.readUInt32BE(16)
          : 1
      if (found === null) return null
      most = Math.max(most, found)
      at += length
    }
    return most
  }
  return longest(0, size)
}

const looks: Readonly<Record<string, Look>> = { 'image/png': lookIntoPng, 'image/avif': lookIntoBoxes, 'image/heic': lookIntoBoxes }
