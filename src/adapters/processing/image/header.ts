import { RindleError } from '../../../core/errors.ts'
import type { DecodeLimits } from '../../../core/ports/jail.ts'
import { av1CodingOf } from './av1.ts'
import type { Size } from './geometry.ts'
import { countScans } from './jpeg.ts'
import { openingBytesPerPixel } from './need.ts'
import type { Sharp } from './sharp.ts'

/** Where a picture is read from: its file, or bytes that were looked through. */
export type Source = string | Buffer

/** What the header of a picture announces. Width and height are as displayed, of one frame. */
export interface ImageHeader extends Size {
  readonly contentType: string
  readonly frames: number
  /** Frames that follow each other in time, as GIF and WebP have them; the pages of a TIFF do not. */
  readonly animated: boolean
  readonly hasAlpha: boolean
  /** Of the pictures in the file, the one that is shown; the others of a HEIC or AVIF never are. */
  readonly page: number
  /** As a picture has it that says where its colours lie. */
  readonly colourProfile: Uint8Array | null
  /** What opening takes for each pixel, in bytes. */
  readonly bytesPerPixel: number
}

const formatNames: Readonly<Record<string, string>> = {
  'image/jpeg': 'JPEG',
  'image/png': 'PNG',
  'image/webp': 'WebP',
  'image/gif': 'GIF',
  'image/avif': 'AVIF',
  'image/heic': 'HEIC',
  'image/tiff': 'TIFF',
  'image/svg+xml': 'SVG',
}

/** How sharp names what it found in a file of each type. */
const foundAs: Readonly<Record<string, string>> = {
  'image/avif': 'heif av1',
  'image/heic': 'heif hevc',
  'image/svg+xml': 'svg',
}

/** As libvips has it; encoders come by with a tenth of these. */
const mostScans = 100

/** Reads the header and nothing else. @throws RindleError `decode_failed` */
export const readHeader = async (sharp: Sharp, source: Source, contentType: string, page?: number): Promise<ImageHeader> => {
  const found = await sharp(source, { failOn: 'warning', limitInputPixels: false, ...(page === undefined ? {} : { page }) })
    .metadata()
    .catch((err: unknown) => {
      throw decodeProblem(contentType, err)
    })
  const { autoOrient, format, compression, pageHeight, hasAlpha = false } = found
  const isHeif = format === 'heif'
  const agrees = (isHeif ? `${format} ${compression}` : format) === (foundAs[contentType] ?? contentType.slice('image/'.length))
  if (!agrees || !autoOrient.width || !autoOrient.height) throw decodeProblem(contentType, null)
  const scans = contentType === 'image/jpeg' && typeof source === 'string' ? countScans(source, mostScans + 1) : 1
  if (scans > mostScans) throw decodeProblem(contentType, null)
  const frames = isHeif ? 1 : (found.pages ?? 1)
  const av1 = contentType === 'image/avif' && typeof source === 'string' ? av1CodingOf(source) : null
  return {
    contentType,
    width: autoOrient.width,
    height: pageHeight ?? autoOrient.height,
    frames,
    animated: frames > 1 && (contentType === 'image/gif' || contentType === 'image/webp'),
    hasAlpha,
    page: found.pagePrimary ?? 0,
    colourProfile: found.icc ?? null,
    bytesPerPixel: openingBytesPerPixel({
      contentType,
      channels: found.channels,
      bitsPerSample: av1?.bitsPerSample ?? found.bitsPerSample ?? bitsOf[found.depth] ?? 64,
      whole: found.isProgressive || scans > 1,
      chroma: av1?.chroma ?? found.chromaSubsampling ?? null,
      turned: (found.orientation ?? 1) > 1,
    }),
  }
}

const bitsOf: Readonly<Record<string, number>> = { uchar: 8, char: 8, ushort: 16, short: 16, uint: 32, int: 32, float: 32 }

/** All frames together may have so many pixels, or eight times those of one frame if that is more: what a decoder gets through in time. */
const pixelsInAll = 512_000_000
const framesInAll = 8

/** @throws RindleError `max_side_exceeded`, `max_pixels_exceeded`, `max_frames_exceeded` */
export const checkLimits = (header: Size & { readonly frames: number }, limits: DecodeLimits): void => {
  const { maxSidePixels, maxPixels, maxFrames } = limits
  const sidePixels = Math.max(header.width, header.height)
  if (sidePixels > maxSidePixels) throw new RindleError('max_side_exceeded', { sidePixels, maxSidePixels })
  const pixels = header.width * header.height
  if (pixels > maxPixels) throw new RindleError('max_pixels_exceeded', { pixels, maxPixels })
  if (header.frames > maxFrames) throw new RindleError('max_frames_exceeded', { frames: header.frames, maxFrames })
  const [all, most] = [pixels * header.frames, Math.max(pixelsInAll, maxPixels * framesInAll)]
  if (all > most) throw new RindleError('max_pixels_exceeded', { pixels: all, maxPixels: most })
}

/** What a decoder's complaint means to whoever sent the file. */
export const decodeProblem = (contentType: string, cause: unknown): RindleError => {
  const memory = cause instanceof Error && /out of memory|memory allocation|allocat/i.test(cause.message)
  if (memory) return new RindleError('decode_too_large', { neededBytes: null, maxDecodeBytes: null }, { cause })
  return new RindleError('decode_failed', { format: formatNames[contentType] ?? contentType }, { cause })
}
