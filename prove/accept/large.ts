import { join } from 'node:path'
import { hasProgram, heicOf } from '../files/tools.ts'
import { made, type Made, photoOf } from '../files/picture.ts'

interface Size {
  readonly megapixels: number
  readonly width: number
  readonly height: number
}

const sizes: readonly Size[] = [
  { megapixels: 24, width: 6000, height: 4000 },
  { megapixels: 48, width: 8064, height: 6048 },
]

/** What cameras, phones and editors make of so many megapixels, in every format. */
const photosOf = ({ megapixels, width, height }: Size, folder: string): Made[] => {
  const photo = () => photoOf(width, height)
  const label = (words: string): string => `${megapixels} megapixels of ${words}`
  const png = async (): Promise<Uint8Array> => (await photo()).png({ compressionLevel: 1 }).toBuffer()
  return [
    made(label('JPEG'), 'jpg', async () => (await photo()).jpeg({ quality: 85 }).toBuffer()),
    made(label('progressive JPEG'), 'jpg', async () => (await photo()).jpeg({ quality: 85, progressive: true }).toBuffer()),
    made(label('PNG'), 'png', png),
    made(label('interlaced PNG'), 'png', async () => (await photo()).png({ compressionLevel: 1, progressive: true }).toBuffer()),
    made(label('interlaced PNG with alpha'), 'png', async () =>
      (await photo()).ensureAlpha(0.5).png({ compressionLevel: 1, progressive: true }).toBuffer(),
    ),
    made(label('PNG of 16 bits'), 'png', async () => (await photo()).toColourspace('rgb16').png({ compressionLevel: 1 }).toBuffer()),
    made(label('WebP'), 'webp', async () => (await photo()).webp({ quality: 70, effort: 0 }).toBuffer()),
    made(label('lossless WebP'), 'webp', async () => (await photo()).webp({ lossless: true, effort: 0 }).toBuffer()),
    made(label('AVIF'), 'avif', async () => (await photo()).avif({ quality: 40, effort: 0 }).toBuffer()),
    made(label('TIFF'), 'tif', async () => (await photo()).tiff({ compression: 'lzw' }).toBuffer()),
    made(label('TIFF in tiles'), 'tif', async () => (await photo()).tiff({ compression: 'deflate', tile: true }).toBuffer()),
    made(label('GIF'), 'gif', async () => (await photo()).gif({ colours: 32, effort: 1, dither: 0 }).toBuffer()),
    ...(hasProgram('heif-enc')
      ? [made(label('HEIC'), 'heic', async () => heicOf(join(folder, 'large'), await png(), ['-q', '40', '-p', 'preset=ultrafast']))]
      : []),
  ]
}

export const largePhotos = (folder: string): Made[] => sizes.flatMap((size) => photosOf(size, folder))
