import sharp from 'sharp'
import type { Random } from '../harness.ts'
import { ascii, join, many, times, u16, u32, u8, zeros } from '../files/bytes.ts'
import { bomb, type Bomb, type Family } from './bomb.ts'

const marker = (code: number, body?: Uint8Array): Buffer => join(u8(0xff, code), ...(body ? [u16(body.length + 2), body] : []))
const start = marker(0xd8)
const end = marker(0xd9)
const frame = (code: number, width: number, height: number, components: number): Buffer =>
  marker(
    code,
    join(
      u8(8),
      u16(height),
      u16(width),
      u8(components),
      many(components, (at) => u8(at + 1, 0x11, 0)),
    ),
  )
const quantization = marker(0xdb, join(u8(0), Buffer.alloc(64, 1)))
/** The shortest Huffman tables there are: one code, which means 0. */
const tables = join(...[0x00, 0x10].map((id) => marker(0xc4, join(u8(id, 1), zeros(15), u8(0)))))
const scan = (components: number, spectral: readonly [number, number], approximation: number): Buffer =>
  marker(
    0xda,
    join(
      u8(components),
      many(components, (at) => u8(at + 1, 0)),
      u8(...spectral, approximation),
    ),
  )
const restart = (interval: number): Buffer => marker(0xdd, u16(interval))

interface Sketch {
  readonly code: number
  readonly width: number
  readonly height: number
  readonly components?: number
  readonly before?: readonly Uint8Array[]
}

const opening = ({ code, width, height, components = 1, before = [] }: Sketch): Buffer =>
  join(start, ...before, quantization, frame(code, width, height, components), tables)

/** A progressive file's later scans once more, and once more. */
const repeated = async (width: number, height: number, count: number): Promise<Buffer> => {
  const whole = await sharp({ create: { width, height, channels: 3, background: '#789' } })
    .jpeg({ progressive: true, quality: 30 })
    .toBuffer()
  const last = whole.lastIndexOf(u8(0xff, 0xda))
  const again = whole.subarray(last, -2)
  return join(
    whole.subarray(0, -2),
    many(count, () => again),
    end,
  )
}

/** Scans without data: each makes a decoder go through all coefficients. */
const emptyScans = (width: number, height: number, count: number): Buffer =>
  join(
    opening({ code: 0xc2, width, height }),
    scan(1, [0, 0], 1),
    zeros(2000),
    many(count, (at) => join(scan(1, [1 + (at % 62), 63], 0), zeros(8))),
    end,
  )

const refinements = (width: number, height: number, count: number): Buffer =>
  join(
    opening({ code: 0xc2, width, height }),
    scan(1, [0, 0], 0x0d),
    zeros(2000),
    many(count, () => join(scan(1, [0, 0], 0x10), zeros(8))),
    end,
  )

const noisy = (sketch: Sketch, random: Random, bytes: number): Buffer =>
  join(
    opening(sketch),
    scan(sketch.components ?? 1, [0, 63], 0),
    Buffer.from(random.bytes(bytes)).map((byte) => (byte === 0xff ? 0xfe : byte)),
    end,
  )

const filled = (width: number, height: number, bytes: number, code = 0xc0, components = 1): Buffer =>
  join(opening({ code, width, height, components }), scan(components, [0, 63], 0), zeros(bytes), end)

export const jpegScans: Family = {
  name: 'jpeg-scans',
  bombs: [
    () => bomb('5,000 scans of 64 megapixels', 'jpg', emptyScans(8000, 8000, 5000)),
    () => bomb('90 scans of 64 megapixels', 'jpg', emptyScans(8000, 8000, 90)),
    () => bomb('60 refinements of 64 megapixels', 'jpg', refinements(16_383, 3_906, 60)),
    async () => bomb('300 scans said again', 'jpg', await repeated(4000, 4000, 300)),
    async () => bomb('a progressive file of 64 megapixels', 'jpg', await repeated(8000, 8000, 0)),
    () =>
      bomb(
        'a progressive header of 65,500 squared',
        'jpg',
        join(opening({ code: 0xc2, width: 65_500, height: 65_500, components: 3 }), scan(1, [0, 0], 0), zeros(100), end),
      ),
    (random) =>
      bomb(
        'progressive noise',
        'jpg',
        join(opening({ code: 0xc2, width: 8000, height: 8000, components: 3 }), scan(3, [0, 0], 0), random.bytes(200_000), end),
      ),
    () => bomb('a scan that does not end', 'jpg', join(opening({ code: 0xc2, width: 8000, height: 8000 }), scan(1, [0, 0], 0))),
  ],
}

export const jpegFrames: Family = {
  name: 'jpeg-frames',
  bombs: [
    () => bomb('65,500 squared', 'jpg', filled(65_500, 65_500, 1000)),
    () => bomb('16,383 by 3,906 of one colour', 'jpg', filled(16_383, 3_906, 300_000)),
    () => bomb('8000 squared in four components', 'jpg', filled(8000, 8000, 600_000, 0xc0, 4)),
    () =>
      bomb(
        'a height that comes later',
        'jpg',
        join(opening({ code: 0xc0, width: 8000, height: 0 }), scan(1, [0, 63], 0), zeros(1000), marker(0xdc, u16(65_500)), end),
      ),
    (random) => bomb('arithmetic noise', 'jpg', noisy({ code: 0xc9, width: 8000, height: 8000 }, random, 500_000)),
    (random) => bomb('arithmetic progressive noise', 'jpg', noisy({ code: 0xca, width: 8000, height: 8000 }, random, 500_000)),
    (random) => bomb('lossless noise', 'jpg', noisy({ code: 0xc3, width: 8000, height: 8000 }, random, 500_000)),
    () =>
      bomb(
        'restart after restart',
        'jpg',
        join(
          opening({ code: 0xc0, width: 8000, height: 8000, before: [restart(1)] }),
          scan(1, [0, 63], 0),
          many(500_000, (at) => marker(0xd0 + (at % 8))),
          end,
        ),
      ),
    () =>
      bomb(
        'a restart that never comes',
        'jpg',
        join(opening({ code: 0xc0, width: 8000, height: 8000, before: [restart(65_535)] }), scan(1, [0, 63], 0), zeros(200_000), end),
      ),
    () =>
      bomb(
        '300,000 comments',
        'jpg',
        join(
          start,
          many(300_000, () => marker(0xfe, ascii('x'))),
          filled(16, 16, 100).subarray(2),
        ),
      ),
    () => bomb('20 MB of padding', 'jpg', join(start, Buffer.alloc(20_000_000, 0xff), filled(16, 16, 100).subarray(2))),
  ],
}

const applied = (code: number, ...parts: readonly Uint8Array[]): Buffer => marker(code, join(...parts))
const smallest = async (...markers: readonly Uint8Array[]): Promise<Buffer> => {
  const whole = await sharp({ create: { width: 64, height: 64, channels: 3, background: '#789' } })
    .jpeg()
    .toBuffer()
  return join(start, ...markers, whole.subarray(2))
}

const exif = (...tiff: readonly Uint8Array[]): Buffer => applied(0xe1, ascii('Exif\0\0'), ...tiff)
/** Directories that lead to each other, for ever. */
const circle = join(ascii('MM\0*'), u32(8), u16(1), u16(0x8769), u16(4), u32(1), u32(8), u32(8))
const overfull = join(
  ascii('MM\0*'),
  u32(8),
  u16(2),
  many(2, () => join(u16(0x927c), u16(7), u32(0xffff_ffff), u32(8))),
  u32(0),
)

const bundled = async (name: string, ...markers: readonly Uint8Array[]): Promise<Bomb> => bomb(name, 'jpg', await smallest(...markers))

/** What is read before any pixel is: by the decoder, and by whoever takes the location out. */
export const metadata: Family = {
  name: 'metadata',
  bombs: [
    () => bundled('directories in a circle', exif(circle)),
    () => bundled('a maker’s note of 4 GiB', exif(overfull)),
    () =>
      bundled(
        '20,000 empty Exif',
        many(20_000, () => exif(circle.subarray(0, 8))),
      ),
    () =>
      bundled(
        '255 pieces of colour profile',
        many(255, (at) => applied(0xe2, ascii('ICC_PROFILE\0'), u8(at + 1, 255), zeros(65_000))),
      ),
    () =>
      bundled(
        'the first piece of 255, 255 times',
        many(255, () => applied(0xe2, ascii('ICC_PROFILE\0'), u8(1, 255), zeros(65_000))),
      ),
    () => bundled('XMP of 60,000 open elements', applied(0xe1, ascii('http://ns.adobe.com/xap/1.0/\0'), Buffer.from('<a>'.repeat(20_000)))),
    () =>
      bundled(
        'XMP with a billion laughs',
        applied(0xe1, ascii('http://ns.adobe.com/xap/1.0/\0'), Buffer.from(laughs('<x:xmpmeta xmlns:x="adobe:ns:meta/">&l9;</x:xmpmeta>'))),
      ),
    () =>
      bundled(
        'extended XMP that says 4 GiB',
        many(50, (at) =>
          applied(
            0xe1,
            ascii('http://ns.adobe.com/xmp/extension/\0'),
            ascii('0'.repeat(32)),
            u32(0xffff_ffff),
            u32(at * 60_000),
            Buffer.alloc(60_000, 32),
          ),
        ),
      ),
    (random) => bundled('noise for Exif', exif(ascii('MM\0*'), u32(8), random.bytes(60_000))),
    (random) => bundled('noise for Photoshop', applied(0xed, ascii('Photoshop 3.0\0'), random.bytes(60_000))),
  ],
}

/** Ten letters that become ten thousand millions. */
export const laughs = (body: string): string => {
  const entities = times(9, (at) => `<!ENTITY l${at + 1} "${`&l${at};`.repeat(10)}">`).join('')
  return `<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY l0 "haha haha">${entities}]>${body}`
}
