import type { MetadataPolicy } from '../../../core/metadata-policy.ts'
import { type Bytes, partOf } from './bytes.ts'
import { anyTextIn, saysPlace } from './place-words.ts'
import { stripTrailer } from './trailer.ts'

/** Applications whose blocks draw: how often it is played, its colours. */
const drawing = /^(?:NETSCAPE2\.0|ANIMEXTS1\.0|ICCRGBG1012)$/
const blankName = Buffer.from('BLANKBLANK0', 'latin1')

/** A GIF file. @throws RindleError `metadata_not_removable` */
export const stripGif = (bytes: Bytes, policy: MetadataPolicy): void => {
  const head = bytes.read(0, 13)
  let at = 13 + colorsOf(head[10] ?? 0)
  while (at < bytes.size) {
    bytes.budget.piece()
    const label = bytes.read(at, 1)[0]
    if (label === 0x3b) return stripTrailer(bytes, at + 1, policy)
    if (label === 0x2c) {
      const image = bytes.read(at, 10)
      at = endOfBlocks(bytes, at + 11 + colorsOf(image[9] ?? 0))
    } else if (label === 0x21) at = stripExtension(bytes, at, policy)
    else return bytes.refuse()
  }
}

const colorsOf = (flags: number): number => (flags & 0x80 ? 3 << ((flags & 7) + 1) : 0)

const stripExtension = (bytes: Bytes, at: number, policy: MetadataPolicy): number => {
  const label = bytes.read(at + 1, 1)[0]
  const end = endOfBlocks(bytes, at + 2)
  if (label === 0xff) {
    const name = bytes.read(at + 3, Math.min(11, end - at - 3)).toString('latin1')
    if (bytes.read(at + 2, 1)[0] !== 11) blankBlocks(bytes, at + 2, end)
    else if (!drawing.test(name)) {
      bytes.write(at + 3, blankName)
      blankBlocks(bytes, at + 14, end)
    }
  } else if (label === 0xfe) {
    if (policy === 'strip' || anyTextIn(partOf(bytes, at + 2, end), saysPlace)) blankBlocks(bytes, at + 2, end)
  } else if (label !== 0xf9 && label !== 0x01) blankBlocks(bytes, at + 2, end)
  return end
}

/** Behind the empty block that ends a list of blocks. XMP, which is written without blocks, ends with bytes that lead every reader there. */
const endOfBlocks = (bytes: Bytes, start: number): number => {
  for (let at = start; at < bytes.size;) {
    const length = bytes.read(at, 1)[0] ?? 0
    at += 1 + length
    if (length === 0) return at
  }
  return bytes.refuse()
}

/** Zeros in blocks of their own, ending where the old ones did. */
const blankBlocks = (bytes: Bytes, start: number, end: number): void => {
  for (let at = start; at < end - 1;) {
    const left = end - 1 - at
    const taken = left === 257 ? 255 : Math.min(256, left)
    bytes.write(at, Buffer.from([taken - 1]))
    bytes.fill(at + 1, at + taken, 0)
    at += taken
  }
  bytes.write(end - 1, Buffer.from([0]))
}
