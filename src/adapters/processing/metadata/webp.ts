import type { MetadataPolicy } from '../../../core/metadata-policy.ts'
import { type Bytes, partOf } from './bytes.ts'
import { stripEmbeddedJpeg } from './jpeg.ts'
import { stripExif } from './tiff.ts'
import { stripTrailer } from './trailer.ts'
import { stripXmp } from './xmp.ts'

const drawing: ReadonlySet<string> = new Set(['VP8 ', 'VP8L', 'VP8X', 'ALPH', 'ANIM', 'ANMF', 'ICCP'])

/** A WebP file, animated or not; chunks that nobody documents are zero. @throws RindleError `metadata_not_removable` */
export const stripWebp = (bytes: Bytes, policy: MetadataPolicy): void => {
  const end = Math.min(bytes.size, 8 + bytes.read(4, 4).readUInt32LE(0))
  let at = 12
  while (at + 8 <= end) {
    bytes.budget.piece()
    const head = bytes.read(at, 8)
    const type = head.toString('latin1', 0, 4)
    const length = head.readUInt32LE(4)
    if (at + 8 + length > end) return bytes.refuse()
    const content = partOf(bytes, at + 8, at + 8 + length)
    if (type === 'EXIF') {
      const prefixed = length >= 6 && content.read(0, 4).toString('latin1') === 'Exif'
      stripExif(prefixed ? partOf(content, 6) : content, policy, { picture: stripEmbeddedJpeg(policy) })
    } else if (type === 'XMP ') stripXmp(content, policy)
    else if (!drawing.has(type)) content.fill(0, length, 0)
    at += 8 + length + (length & 1)
  }
  stripTrailer(bytes, Math.max(at, end), policy)
}
