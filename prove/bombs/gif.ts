import { ascii, join, le16, many, times, u8, zeros } from '../files/bytes.ts'
import { bomb, type Family } from './bomb.ts'

const screen = (width: number, height: number): Buffer => join(ascii('GIF89a'), le16(width), le16(height), u8(0x80, 0, 0), zeros(6))
const control = u8(0x21, 0xf9, 4, 0, 1, 0, 0, 0)
const loop = join(u8(0x21, 0xff, 11), ascii('NETSCAPE2.0'), u8(3, 1, 0, 0, 0))
const trailer = u8(0x3b)

const frame = (width: number, height: number, data: Uint8Array): Buffer =>
  join(control, u8(0x2c), le16(0), le16(0), le16(width), le16(height), u8(0), data)

const blocks = (stream: Uint8Array): Buffer => {
  const parts: Uint8Array[] = [u8(2)]
  for (let at = 0; at < stream.length; at += 255) {
    const part = stream.subarray(at, at + 255)
    parts.push(u8(part.length), part)
  }
  return Buffer.concat([...parts, u8(0)])
}

/** Codes of a GIF's LZW, lowest bit first. */
const packed = (codes: Iterable<readonly [code: number, bits: number]>): Buffer => {
  const bytes: number[] = []
  let [kept, length] = [0, 0]
  for (const [code, bits] of codes) {
    kept |= code << length
    length += bits
    for (; length >= 8; length -= 8) {
      bytes.push(kept & 255)
      kept >>>= 8
    }
  }
  if (length > 0) bytes.push(kept & 255)
  return Buffer.from(bytes)
}

/** So many pixels of colour 0, in as few codes as the format allows: each code says one more pixel than the one before. */
function* longestRuns(pixels: number): Generator<readonly [code: number, bits: number]> {
  let [left, width] = [pixels, 3]
  while (left > 0) {
    yield [4, width]
    width = 3
    yield [0, width]
    left -= 1
    for (let next = 6; left > 0 && next < 4096; next++) {
      const run = next - 4
      const length = Math.min(left, run)
      yield [length === run ? next : length === 1 ? 0 : length + 4, width]
      left -= length
      if (next + 1 === 1 << width && width < 12) width += 1
    }
  }
  yield [5, width]
}

const filled = (width: number, height: number): Buffer => frame(width, height, blocks(packed(longestRuns(width * height))))
const dot = frame(1, 1, u8(2, 2, 0x44, 0x01, 0))

/** Clears the dictionary over and over, and never draws. */
const clearing = (bytes: number): Buffer => {
  const once = packed(times(8, () => [4, 3] as const))
  const stream = Buffer.alloc(bytes)
  for (let at = 0; at < bytes; at += once.length) stream.set(once.subarray(0, Math.min(once.length, bytes - at)), at)
  return blocks(stream)
}

export const gifFrames: Family = {
  name: 'gif-frames',
  bombs: [
    () =>
      bomb(
        '300 dots on 64 megapixels',
        'gif',
        join(
          screen(8000, 8000),
          loop,
          many(300, () => dot),
          trailer,
        ),
      ),
    () =>
      bomb(
        '300 full frames of 4 megapixels',
        'gif',
        join(
          screen(2000, 2000),
          loop,
          many(300, () => filled2000()),
          trailer,
        ),
      ),
    () =>
      bomb(
        '100,000 frames',
        'gif',
        join(
          screen(16, 16),
          many(100_000, () => dot),
          trailer,
        ),
      ),
    () =>
      bomb(
        '299 frames outside of the screen',
        'gif',
        join(
          screen(1, 1),
          many(299, () => filled2000()),
          trailer,
        ),
      ),
    (random) =>
      bomb(
        'frames of many sizes',
        'gif',
        join(
          screen(4000, 4000),
          many(40, () => filled(500 + random.int(2000), 700)),
          trailer,
        ),
      ),
    () =>
      bomb(
        '300,000 comments',
        'gif',
        join(
          screen(8, 8),
          many(300_000, () => u8(0x21, 0xfe, 1, 65, 0)),
          dot,
          trailer,
        ),
      ),
    () =>
      bomb(
        '300,000 loops',
        'gif',
        join(
          screen(8, 8),
          many(300_000, () => loop),
          dot,
          trailer,
        ),
      ),
  ],
}

let kept: Buffer | null = null
const filled2000 = (): Buffer => (kept ??= filled(2000, 2000))

export const gifCanvas: Family = {
  name: 'gif-canvas',
  bombs: [
    () => bomb('65535 by 65535', 'gif', join(screen(65_535, 65_535), dot, trailer)),
    () => bomb('one frame of 64 megapixels', 'gif', join(screen(8000, 8000), filled(8000, 8000), trailer)),
    () => bomb('a frame larger than its screen', 'gif', join(screen(10, 10), frame(65_535, 65_535, blocks(zeros(50_000))), trailer)),
    () => bomb('a dot on 16383 by 3906', 'gif', join(screen(16_383, 3_906), dot, trailer)),
    () => bomb('nothing but clearing', 'gif', join(screen(8000, 8000), frame(8000, 8000, clearing(8_000_000)), trailer)),
    (random) => bomb('noise for codes', 'gif', join(screen(8000, 8000), frame(8000, 8000, blocks(random.bytes(2_000_000))), trailer)),
    () =>
      bomb(
        'codes that do not end',
        'gif',
        join(screen(4000, 4000), frame(4000, 4000, blocks(packed(longestRuns(16_000_000)).subarray(0, -9)))),
      ),
    () =>
      bomb(
        'a block of no length, 500,000 times',
        'gif',
        join(
          screen(9, 9),
          many(500_000, () => u8(0x2c, 0, 0, 0, 0, 1, 0, 1, 0, 0, 2, 0)),
          trailer,
        ),
      ),
  ],
}
