import { ascii, join, le16, le24, le32, many, riffChunk, u8, zeros } from '../files/bytes.ts'
import { bomb, type Family } from './bomb.ts'

const riff = (...chunks: readonly Uint8Array[]): Buffer => {
  const inside = join(ascii('WEBP'), ...chunks)
  return join(ascii('RIFF'), le32(inside.length), inside)
}

/** One colour for all pixels takes no bit a pixel: 20 bytes, whatever the size. */
const oneColour = (width: number, height: number): Buffer => {
  const size = ((width - 1) | ((height - 1) << 14)) >>> 0
  return riffChunk('VP8L', u8(0x2f), le32(size), u8(0x88, 0x88, 0x08, 0))
}

const animation = 0x02
const extended = (width: number, height: number, flags: number): Buffer =>
  riffChunk('VP8X', u8(flags, 0, 0, 0), le24(width - 1), le24(height - 1))
const loop = riffChunk('ANIM', zeros(4), le16(0))
const frame = (width: number, height: number, flags = 0, at = 0): Buffer =>
  riffChunk('ANMF', le24(at), le24(at), le24(width - 1), le24(height - 1), le24(10), u8(flags), oneColour(width, height))

/** The beginning of a lossy picture, and noise where its partitions are. */
const lossy = (width: number, height: number, noise: Uint8Array): Buffer =>
  riffChunk('VP8 ', u8(0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a), le16(width), le16(height), noise)

export const webpCanvas: Family = {
  name: 'webp-canvas',
  bombs: [
    () => bomb('16383 by 3906 of one colour', 'webp', riff(oneColour(16_383, 3_906))),
    () => bomb('8000 by 8000 of one colour', 'webp', riff(oneColour(8000, 8000))),
    () => bomb('16384 by 16384 of one colour', 'webp', riff(oneColour(16_384, 16_384))),
    () => bomb('a dot that says 8000 by 8000', 'webp', riff(extended(8000, 8000, 0), oneColour(1, 1))),
    () => bomb('16777216 squared', 'webp', riff(extended(16_777_216, 16_777_216, animation), loop, frame(1, 1))),
    (random) => bomb('lossy noise', 'webp', riff(lossy(8000, 8000, random.bytes(400_000)))),
    (random) => bomb('lossy noise of 16383', 'webp', riff(lossy(16_383, 3_900, random.bytes(10)))),
    (random) => bomb('lossless noise', 'webp', riff(riffChunk('VP8L', u8(0x2f), le32(7999 | (7999 << 14)), random.bytes(200_000)))),
  ],
}

export const webpFrames: Family = {
  name: 'webp-frames',
  bombs: [
    () =>
      bomb(
        '300 dots on 64 megapixels',
        'webp',
        riff(
          extended(8000, 8000, animation),
          loop,
          many(300, () => frame(1, 1)),
        ),
      ),
    () =>
      bomb(
        '300 frames of 4 megapixels',
        'webp',
        riff(
          extended(2000, 2000, animation),
          loop,
          many(300, () => frame(2000, 2000)),
        ),
      ),
    () =>
      bomb(
        '30 frames of 64 megapixels',
        'webp',
        riff(
          extended(8000, 8000, animation),
          loop,
          many(30, () => frame(8000, 8000)),
        ),
      ),
    () =>
      bomb(
        'blended frames of 64 megapixels',
        'webp',
        riff(
          extended(8000, 8000, 0x12),
          loop,
          many(20, () => frame(8000, 8000, 1)),
        ),
      ),
    () =>
      bomb(
        '100,000 frames',
        'webp',
        riff(
          extended(16, 16, animation),
          loop,
          many(100_000, () => frame(1, 1)),
        ),
      ),
    () =>
      bomb(
        'frames outside of the canvas',
        'webp',
        riff(
          extended(16, 16, animation),
          loop,
          many(200, () => frame(4000, 4000, 0, 9)),
        ),
      ),
    () =>
      bomb(
        '300,000 unknown parts',
        'webp',
        riff(
          extended(16, 16, 0),
          many(300_000, () => riffChunk('ruSt', u8(1, 2))),
          oneColour(16, 16),
        ),
      ),
    () => bomb('20 MB of colour profile', 'webp', riff(extended(16, 16, 0x20), riffChunk('ICCP', zeros(20_000_000)), oneColour(16, 16))),
  ],
}
