import { readFile } from 'node:fs/promises'
import type { DecodeLimits } from '../../core/ports/processor.ts'
import { isWholeGif } from './gif.ts'
import { checkLimits, decodeProblem, readHeader, type ImageHeader } from './header.ts'
import type { Size } from './geometry.ts'
import { rawOf, type Raw } from './raw.ts'
import type { Sharp } from './sharp.ts'

/**
 * Decodes the whole file once, upright, in eight-bit sRGB, scaled to `size` on the way. Every warning of the decoder refuses: a
 * JPEG that is scaled while it is loaded still has all of its entropy data read, so a cut or damaged tail is seen all the same.
 *
 * @throws RindleError `decode_failed`, `decode_too_large`
 */
export const decodeStill = async (sharp: Sharp, path: string, header: ImageHeader, size: Size): Promise<Raw> => {
  try {
    return await decodeOnce(sharp, path, size, false)
  } catch (err) {
    if (!(err instanceof Error) || !/icc|profile/i.test(err.message)) throw decodeProblem(header.contentType, err)
  }
  return decodeOnce(sharp, path, size, true).catch((err: unknown) => {
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
  if (header.frames < 2 || header.contentType === 'image/avif') return
  if (header.animated) return skim(sharp, path, header, { animated: true })
  for (let page = 1; page < header.frames; page++) {
    checkLimits(await readHeader(sharp, path, header.contentType, page), limits)
    await skim(sharp, path, header, { page })
  }
}

const decodeOnce = (sharp: Sharp, path: string, size: Size, ignoreIcc: boolean): Promise<Raw> =>
  rawOf(
    sharp(path, { failOn: 'warning', limitInputPixels: false, sequentialRead: true, ignoreIcc })
      .autoOrient()
      .resize(size.width, size.height, { fit: 'fill' })
      .toColourspace('srgb'),
  )

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
