import { RindleError } from '../../core/errors.ts'
import type { DecodeLimits } from '../../core/ports/jail.ts'
import type { Size } from './geometry.ts'
import type { Sharp } from './sharp.ts'

/** What the header of a picture announces. Width and height are as displayed, of one frame. */
export interface ImageHeader extends Size {
  readonly contentType: string
  readonly frames: number
  /** Frames that follow each other in time, as GIF and WebP have them; the pages of a TIFF do not. */
  readonly animated: boolean
  readonly hasAlpha: boolean
}

const formatNames: Readonly<Record<string, string>> = {
  'image/jpeg': 'JPEG',
  'image/png': 'PNG',
  'image/webp': 'WebP',
  'image/gif': 'GIF',
  'image/avif': 'AVIF',
  'image/tiff': 'TIFF',
}

/** Reads the header and nothing else. @throws RindleError `decode_failed` */
export const readHeader = async (sharp: Sharp, path: string, contentType: string, page = 0): Promise<ImageHeader> => {
  const found = await sharp(path, { failOn: 'warning', limitInputPixels: false, page })
    .metadata()
    .catch((err: unknown) => {
      throw decodeProblem(contentType, err)
    })
  const { autoOrient, pages = 1, pageHeight, hasAlpha = false } = found
  const agrees =
    contentType === 'image/avif' ? found.format === 'heif' && found.compression === 'av1' : `image/${found.format}` === contentType
  if (!agrees || !autoOrient.width || !autoOrient.height) throw decodeProblem(contentType, null)
  const animated = pages > 1 && (contentType === 'image/gif' || contentType === 'image/webp')
  return { contentType, width: autoOrient.width, height: pageHeight ?? autoOrient.height, frames: pages, animated, hasAlpha }
}

/** @throws RindleError `max_side_exceeded`, `max_pixels_exceeded`, `max_frames_exceeded` */
export const checkLimits = (header: ImageHeader, limits: DecodeLimits): void => {
  const { maxSidePixels, maxPixels, maxFrames } = limits
  const sidePixels = Math.max(header.width, header.height)
  if (sidePixels > maxSidePixels) throw new RindleError('max_side_exceeded', { sidePixels, maxSidePixels })
  const pixels = header.width * header.height
  if (pixels > maxPixels) throw new RindleError('max_pixels_exceeded', { pixels, maxPixels })
  if (header.frames > maxFrames) throw new RindleError('max_frames_exceeded', { frames: header.frames, maxFrames })
}

/** What a decoder's complaint means to whoever sent the file. */
export const decodeProblem = (contentType: string, cause: unknown): RindleError => {
  const memory = cause instanceof Error && /out of memory|memory allocation|allocat/i.test(cause.message)
  if (memory) return new RindleError('decode_too_large', { neededBytes: null, maxDecodeBytes: null }, { cause })
  return new RindleError('decode_failed', { format: formatNames[contentType] ?? contentType }, { cause })
}
