import { readFile } from 'node:fs/promises'
import type { DecodeLimits } from '../../../core/ports/jail.ts'
import { isWholeGif } from './gif.ts'
import { checkLimits, decodeProblem, readHeader, type ImageHeader, type Source } from './header.ts'
import type { Size } from './geometry.ts'
import { rawOf, type Raw } from './raw.ts'
import type { Sharp } from './sharp.ts'

/**
 * Decodes the whole file once, upright, in eight-bit sRGB, scaled to `size` on the way. Every warning of the decoder refuses: a
 * JPEG that is scaled while it is loaded still has all of its entropy data read, so a cut or damaged tail is seen all the same.
 *
 * @throws RindleError `decode_failed`, `decode_too_large`
 */
export const decodeStill = async (sharp: Sharp, source: Source, header: ImageHeader, size: Size): Promise<Raw> => {
  const scaled = scaledSourceOf(source, header, size)
  try {
    return await decodeOnce(sharp, scaled, header, size, false)
  } catch (err) {
    if (!(err instanceof Error) || !/icc|profile/i.test(err.message)) throw decodeProblem(header.contentType, err)
  }
  return decodeOnce(sharp, scaled, header, size, true).catch((err: unknown) => {
    throw decodeProblem(header.contentType, err)
  })
}

/**
 * Decodes what follows the first frame, without keeping it: every frame of an animation, every page of a document, each of which is
 * held to the same limits.
 *
 * @throws RindleError `decode_failed`, `decode_too_large`, `max_side_exceeded`, `max_pixels_exceeded`
 */
export const decodeOtherFrames = async (sharp: Sharp, path: string, header: ImageHeader, limits: DecodeLimits): Promise<void> => {
  if (header.contentType === 'image/gif' && !isWholeGif(await readFile(path))) throw decodeProblem(header.contentType, null)
  if (header.frames < 2) return
  if (header.animated) return skim(sharp, path, header, { animated: true })
  for (let page = 1; page < header.frames; page++) {
    checkLimits(await readHeader(sharp, path, header.contentType, page), limits)
    await skim(sharp, path, header, { page })
  }
}

/** Less for the scaling to average would show as softness; sharp itself leaves 1.5. */
const leastLeftToScale = 1.4

/**
 * sharp has a JPEG halved by its decoder where a third or less is wanted, and above that transforms and scales every pixel: so it is with
 * 6000 to 2048, a photo of 24 megapixels. Asked for in the name, which libvips reads, it is halved a little
 * earlier: a quarter of the decode less, and half when the picture lies on its side. All of its entropy data is read either way. The price
 * at 2048: a PSNR of 44.9 dB against the scaling of every pixel, where sharp's own halving begins with 45.4.
 */
const scaledSourceOf = (source: Source, header: ImageHeader, size: Size): Source => {
  const scale = Math.min(header.width / size.width, header.height / size.height)
  return header.contentType === 'image/jpeg' && scale >= 2 * leastLeftToScale && scale < 3 ? `${String(source)}[shrink=2]` : source
}

const decodeOnce = (sharp: Sharp, source: Source, header: ImageHeader, size: Size, ignoreIcc: boolean): Promise<Raw> => {
  const upright = sharp(source, { failOn: 'warning', limitInputPixels: false, sequentialRead: true, ignoreIcc })
    .autoOrient()
    .resize(size.width, size.height, { fit: 'fill' })
    .toColourspace('srgb')
  return rawOf(header.hasAlpha ? upright : upright.removeAlpha())
}

/** Averages everything to a few pixels: all of it has to be decoded, none of it is kept. */
const skim = async (sharp: Sharp, path: string, header: ImageHeader, which: { animated: true } | { page: number }): Promise<void> => {
  await sharp(path, { failOn: 'warning', limitInputPixels: false, sequentialRead: true, ...which })
    .resize(8, 8, { fit: 'fill', fastShrinkOnLoad: false })
    .raw()
    .toBuffer()
    .catch((err: unknown) => {
      throw decodeProblem(header.contentType, err)
    })
}
