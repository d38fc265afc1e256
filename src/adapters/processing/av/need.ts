import type { VariantWish } from '../../../core/ports/jail.ts'
import type { Recipe } from '../../../core/recipe.ts'
import { gridOf, sizeOfVideo, type Tracks } from './encode.ts'
import type { Picture } from './probe-reply.ts'
import { areaOf, fitInside } from './scaling.ts'

/** Pictures of ten bits, of which a decoder keeps up to eight beside the one it makes; 3840 × 2160 took 240 MiB. */
const decodedBytesPerPixel = 30
/** x264 looks forty pictures ahead, keeps each twice, and each of its threads has some of its own. */
const encodedBytesPerPixel = 200
/** A sprite lies there as it is put together, as it is encoded, and as what came of that. */
const spriteBytesPerPixel = 16
/** An animation is a few pictures of four bytes, and what has come of those before. */
const animatedBytesPerPixel = 150
/** Tones are mapped in three planes of floating point numbers, some pictures of them at once. */
const mappedBytesPerPixel = 60

/** What decoding a film takes, in bytes; nothing for sound. */
export const decodingBytes = (picture: Picture | null): number => (picture?.pixels ?? 0) * decodedBytesPerPixel

/** What decoding and encoding take together for all that is wanted at once. */
export const encodingBytes = ({ picture, durationMs }: Pick<Tracks, 'picture' | 'durationMs'>, wishes: readonly VariantWish[]): number =>
  picture ? wishes.reduce((sum, { recipe }) => sum + makingBytes(picture, durationMs, recipe), decodingBytes(picture)) : 0

const makingBytes = (picture: Picture, durationMs: number, recipe: Recipe): number => {
  switch (recipe.kind) {
    case 'video':
      return areaOf(sizeOfVideo(picture, recipe)) * (encodedBytesPerPixel + (picture.isHdr ? mappedBytesPerPixel : 0))
    case 'strip': {
      const { tileWidth, tileHeight, columns, rows } = gridOf(picture, durationMs, recipe)
      return areaOf({ width: tileWidth * columns, height: tileHeight * rows }) * spriteBytesPerPixel
    }
    case 'preview':
      return areaOf(fitInside(picture, recipe)) * animatedBytesPerPixel
    case 'image':
    case 'poster':
    case 'audio':
    case 'waveform':
      return 0
  }
}
