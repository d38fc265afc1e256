import { writeFile } from 'node:fs/promises'
import sharp from 'sharp'
import { createRandom, type Random } from './harness.ts'

const photoWidth = 6000
const photoHeight = 4000

/** One octave of the picture: how many pixels a grain spans, how far it swings, and whether it fades where the lens is out of focus. */
type Octave = { readonly span: number; readonly swing: number; readonly focused: boolean }

/** Chosen so that file sizes are those of a photo of 24 megapixels: 8 to 9 MB, about 40 kB as a WebP of 1024 pixels. */
const octaves: readonly Octave[] = [
  { span: 900, swing: 120, focused: false },
  { span: 250, swing: 60, focused: false },
  { span: 60, swing: 30, focused: true },
  { span: 14, swing: 7, focused: true },
  { span: 5, swing: 6, focused: true },
  { span: 1.4, swing: 33, focused: false },
]

/** A photo-like JPEG of 24 megapixels, the same for the same random values: soft shapes, detail in the focus, grain everywhere. */
async function makePhoto(random: Random): Promise<Buffer> {
  const sum = new Int16Array(photoWidth * photoHeight * 3).fill(118)
  const focus = await grown(random.fork('focus'), 1500, 1)
  for (const { span, swing, focused } of octaves) {
    const layer = await grown(random.fork(span), span, 3)
    for (let pixel = 0, at = 0; pixel < focus.length; pixel++) {
      const share = (focused ? Math.max(0, focus[pixel]! - 120) / 135 : 1) * swing
      const shared = layer[at]! - 128
      for (let channel = 0; channel < 3; channel++, at++) sum[at]! += ((shared * 3 + layer[at]! - 128) * share) >> 9
    }
  }
  const pixels = Buffer.from(Uint8ClampedArray.from(sum).buffer)
  return sharp(pixels, { raw: { width: photoWidth, height: photoHeight, channels: 3 } })
    .jpeg({ quality: 90 })
    .toBuffer()
}

/** Random values on a coarse grid, grown smoothly to the size of the photo. */
async function grown(random: Random, span: number, channels: 1 | 3): Promise<Buffer> {
  const width = Math.ceil(photoWidth / span)
  const height = Math.ceil(photoHeight / span)
  return sharp(random.bytes(width * height * channels), { raw: { width, height, channels } })
    .resize(photoWidth, photoHeight, { fit: 'fill', kernel: 'cubic' })
    .toColourspace(channels === 1 ? 'b-w' : 'srgb')
    .raw()
    .toBuffer()
}

/** Run with a seed and a path: a process of its own, so that what it took to make the photo weighs on nobody who is measured. */
if (import.meta.main) {
  const [seed = '1', path = 'photo.jpg'] = process.argv.slice(2)
  await writeFile(path, await makePhoto(createRandom(Number(seed))))
}
