import { stat } from 'node:fs/promises'
import type { ImageFormat } from '../../../core/recipe.ts'
import type { Size } from './geometry.ts'

/** What the header tells of how the pixels are coded. */
interface Coding {
  readonly contentType: string
  readonly channels: number
  readonly bitsPerSample: number
  /** The decoder has to hold all of it before the first line is done: an interlaced PNG, a JPEG of several scans. */
  readonly whole: boolean
  /** As a JPEG or an AVIF has it: `4:2:0`. */
  readonly chroma: string | null
  /** It is turned after it was decoded. */
  readonly turned: boolean
}

/**
 * Bytes that opening takes for each pixel of a frame, on top of a warm child. Each was measured in a child as the growth of VmData at 24
 * and 48 megapixels with nothing but a thumbnail to be made; what was measured stands behind it.
 */
export const openingBytesPerPixel = (coding: Coding): number => {
  const { contentType, channels, bitsPerSample, whole, chroma, turned } = coding
  const sample = Math.ceil(bitsPerSample / 8)
  const turn = turned ? 2 : 0
  switch (contentType) {
    case 'image/jpeg':
      // Coefficients of two bytes. 4:2:0 2.9, 4:4:4 6.0, four components 7.6; one scan 0.1.
      return turn + (whole ? 2 * samplesPerPixel(chroma, channels) + 0.5 : 0.5)
    case 'image/png':
      // Interlaced: of 8 bits 3.2, of 16 with alpha 9.3; line by line 0.1.
      return turn + (whole ? Math.max(4, channels * sample * 1.2) : 0.5)
    case 'image/webp':
      // 4.0 with and without loss, with and without alpha; twice that where nothing is scaled while it is loaded.
      return turn + webpBytesPerPixel
    case 'image/gif':
      // 4.6, of which all frames share a canvas.
      return 5.5
    case 'image/avif':
      // 8 bits: 15.4 in 4:2:0, 18.8 in 4:4:4 or with alpha; 10 bits: 18.8 in 4:2:0, 24.9 in 4:4:4.
      if (chroma === '4:2:0' && channels < 4) return bitsPerSample > 8 ? 19.5 : 16.5
      return bitsPerSample > 8 ? 26 : 19.5
    case 'image/heic':
      // 8 bits: 12.4 in 4:2:0, 15.0 in 4:4:4; 10 bits: 14.7 and 19.3; besides the thread.
      return bitsPerSample > 8 ? 19.5 : 15
    case 'image/tiff':
      // 1.7 of 16 bits; a strip or tile may be all of the picture.
      return turn + 1 + channels * sample
    default:
      return 8
  }
}

const webpBytesPerPixel = 8.5

/** Bytes that reading the header of a WebP takes: its library sets up the canvas for it. */
export const webpHeaderNeed = (canvas: Size): number => Math.ceil(spare + pixelsOf(canvas) * webpBytesPerPixel)

/** Bytes that opening a picture takes and holding it decoded, scaled to `size`. */
export const openingNeed = (picture: Size & { readonly bytesPerPixel: number }, besides: number, size: Size): number =>
  Math.ceil(spare + besides + pixelsOf(picture) * picture.bytesPerPixel + pixelsOf(size) * heldBytesPerPixel)

/** What is held in memory besides pixels, in bytes: of the file itself, where it is not read as it lies, and of a thread. */
export const heldBesides = async (path: string, { contentType }: { readonly contentType: string }): Promise<number> =>
  (await stat(path)).size * (timesRead[contentType] ?? 0) + (contentType === 'image/heic' ? threadBytes : 0)

const timesRead: Readonly<Record<string, number>> = { 'image/gif': 1, 'image/heic': 2, 'image/svg+xml': 20 }
const threadBytes = 64 * 1024 * 1024

/**
 * Bytes that writing takes for each pixel of a variant, its own raw pixels included: measured like those above, without alpha and with it,
 * at 6 and 24 megapixels.
 */
const writingBytesPerPixel: Readonly<Record<ImageFormat, readonly [opaque: number, alpha: number]>> = {
  jpeg: [10, 11],
  png: [9, 10],
  webp: [10, 25],
  avif: [66, 100],
}

/** Bytes that one variant of `out` pixels takes besides what is `held` already, in bytes. */
export const writingNeed = (held: number, out: Size & { readonly frames: number }, format: ImageFormat, hasAlpha: boolean): number =>
  Math.ceil(spare + held + pixelsOf(out) * out.frames * writingBytesPerPixel[format][hasAlpha ? 1 : 0])

/** Asks for memory only where more is needed than there is. */
export const growing = (need: (bytes: number) => Promise<void>): ((bytes: number) => Promise<void>) => {
  let there = 0
  return async (bytes) => {
    if (bytes <= there) return
    await need(bytes)
    there = bytes
  }
}

/** Raw pixels with alpha, and the copy that is handed out. */
const heldBytesPerPixel = 5.5
/** Buffers of lines and of the file, whatever the size. */
const spare = 16 * 1024 * 1024

const pixelsOf = ({ width, height }: Size): number => width * height

const samplesPerPixel = (chroma: string | null, channels: number): number => {
  if (channels === 1) return 1.5
  if (channels === 4) return 4
  return chroma === '4:2:0' ? 1.5 : chroma === '4:2:2' ? 2 : 3
}
