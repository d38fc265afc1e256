import type { VariantWish } from '../../../core/ports/jail.ts'
import { sizeOfVideo, type Tracks } from './encode.ts'
import type { Picture } from './probe-reply.ts'

/** Pictures of ten bits, of which a decoder keeps up to eight beside the one it makes; 3840 × 2160 took 240 MiB. */
const decodedBytesPerPixel = 30
/** x264 looks forty pictures ahead, keeps each twice, and each of its threads has some of its own. */
const encodedBytesPerPixel = 200
/** Tones are mapped in three planes of floating point numbers, some pictures of them at once. */
const mappedBytesPerPixel = 60

/** What decoding a film takes, in bytes; nothing for sound. */
export const decodingBytes = (picture: Picture | null): number => (picture?.pixels ?? 0) * decodedBytesPerPixel

/** What decoding and encoding take together for all that is wanted at once. */
export const encodingBytes = ({ picture }: Pick<Tracks, 'picture'>, wishes: readonly VariantWish[]): number => {
  if (!picture) return 0
  const each = encodedBytesPerPixel + (picture.isHdr ? mappedBytesPerPixel : 0)
  const encoded = wishes.map(({ recipe }) => (recipe.kind === 'video' ? sizeOfVideo(picture, recipe) : { width: 0, height: 0 }))
  return decodingBytes(picture) + encoded.reduce((sum, { width, height }) => sum + width * height * each, 0)
}
