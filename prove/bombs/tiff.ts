import { deflateSync } from 'node:zlib'
import type { Random } from '../harness.ts'
import { again, all, ascii, join, le16, le32, le64, times, u8, zeros, zerosDeflated } from '../files/bytes.ts'
import { bomb, type Family } from './bomb.ts'

/** Tag, type, count and value; a value that does not fit stands where the value says. */
type Entry = readonly [tag: number, type: number, count: number, value: number]
const [short, long] = [3, 4]

const directory = (entries: readonly Entry[], next: number): Buffer =>
  join(
    le16(entries.length),
    all(
      entries.toSorted((a, b) => a[0] - b[0]),
      ([tag, type, count, value]) => join(le16(tag), le16(type), le32(count), le32(value)),
    ),
    le32(next),
  )

const tiff = (first: number, ...parts: readonly Uint8Array[]): Buffer => join(ascii('II'), le16(42), le32(first), ...parts)

interface Shape {
  readonly width: number
  readonly height: number
  readonly bits?: number
  readonly samples?: number
  readonly compression?: number
  readonly more?: readonly Entry[]
}

const none = 1
const [ccittG3, ccittG4, lzw, jpeg, deflate, packBits, zstd, webp] = [3, 4, 5, 7, 8, 32_773, 50_000, 50_001]

const entriesOf = ({ width, height, bits = 8, samples = 1, compression = none, more = [] }: Shape): Entry[] => {
  const given = new Set(more.map(([tag]) => tag))
  const usual: Entry[] = [
    [256, long, 1, width],
    [257, long, 1, height],
    [258, short, 1, bits],
    [259, short, 1, compression],
    [262, short, 1, 1],
    [277, short, 1, samples],
    [278, long, 1, height],
  ]
  return [...usual.filter(([tag]) => !given.has(tag)), ...more]
}

/** One directory behind the header, one strip behind that. */
const oneStrip = (shape: Shape, data: Uint8Array, length = data.length): Buffer => {
  const entries = entriesOf(shape)
  const dataAt = 8 + 2 + (entries.length + 2) * 12 + 4
  return tiff(8, directory([...entries, [273, long, 1, dataAt], [279, long, 1, length]], 0), data)
}

/** A strip for each row, all of them the same bytes. */
const manyStrips = (shape: Shape, strips: number, data: Uint8Array): Buffer => {
  const entries = entriesOf({ ...shape, more: [...(shape.more ?? []), [278, long, 1, Math.max(1, Math.floor(shape.height / strips))]] })
  const dataAt = 8 + 2 + (entries.length + 2) * 12 + 4
  const listAt = dataAt + data.length
  const list = (value: number): Buffer => {
    const words = Buffer.alloc(strips * 4)
    for (let at = 0; at < words.length; at += 4) words.writeUInt32LE(value, at)
    return words
  }
  const all: Entry[] = [...entries, [273, long, strips, listAt], [279, long, strips, listAt + strips * 4]]
  return tiff(8, directory(all, 0), data, list(dataAt), list(data.length))
}

const tiled = (shape: Shape, side: number, data: Uint8Array): Buffer => {
  const entries = entriesOf(shape).filter(([tag]) => tag !== 278)
  const dataAt = 8 + 2 + (entries.length + 4) * 12 + 4
  const more: Entry[] = [
    [322, long, 1, side],
    [323, long, 1, side],
    [324, long, 1, dataAt],
    [325, long, 1, data.length],
  ]
  return tiff(8, directory([...entries, ...more], 0), data)
}

/** So many directories, one after the other; the last leads to `then`. */
const pages = (shape: Shape, count: number, data: Uint8Array, then: 'end' | 'first' = 'end'): Buffer => {
  const entries = entriesOf(shape)
  const dataAt = 8
  const firstAt = dataAt + data.length + (data.length % 2)
  const size = 2 + (entries.length + 2) * 12 + 4
  const all = times(count, (at) =>
    directory(
      [...entries, [273, long, 1, dataAt], [279, long, 1, data.length]],
      at + 1 < count ? firstAt + (at + 1) * size : then === 'end' ? 0 : firstAt,
    ),
  )
  return tiff(firstAt, data, zeros(data.length % 2), Buffer.concat(all))
}

const big = (
  entries: readonly (readonly [tag: number, type: number, count: bigint, value: bigint])[],
  ...parts: readonly Uint8Array[]
): Buffer =>
  join(
    ascii('II'),
    le16(43),
    le16(8),
    le16(0),
    le64(16n),
    le64(BigInt(entries.length)),
    all(entries, ([tag, type, count, value]) => join(le16(tag), le16(type), le64(count), le64(value))),
    le64(0n),
    ...parts,
  )

/** White rows without end take a bit each. */
const whiteRows = (rows: number): Buffer => Buffer.alloc(Math.ceil(rows / 8) + 8, 0xff)
const noise = (random: Random, bytes: number): Uint8Array => random.bytes(bytes)

export const tiffStrips: Family = {
  name: 'tiff-strips',
  bombs: [
    () =>
      bomb(
        '64 megapixels of RGBA16 without a byte',
        'tif',
        oneStrip({ width: 8000, height: 8000, bits: 16, samples: 4 }, zeros(16), 0xffff_fff0),
      ),
    () =>
      bomb(
        '64 megapixels of doubles',
        'tif',
        oneStrip(
          { width: 8000, height: 8000, bits: 64, samples: 4, more: [[339, short, 1, 3]], compression: deflate },
          zerosDeflated(2048 * 1024 * 1024),
        ),
      ),
    () => bomb('64 megapixels of fax', 'tif', oneStrip({ width: 16_383, height: 3_906, bits: 1, compression: ccittG4 }, whiteRows(3_906))),
    () =>
      bomb('a billion pixels of fax', 'tif', oneStrip({ width: 65_535, height: 65_535, bits: 1, compression: ccittG4 }, whiteRows(65_535))),
    () => bomb('noise for fax', 'tif', oneStrip({ width: 8000, height: 8000, bits: 1, compression: ccittG3 }, zeros(500_000))),
    () => bomb('64 megapixels of deflate', 'tif', oneStrip({ width: 8000, height: 8000, compression: deflate }, zerosDeflated(64_000_000))),
    () => bomb('a gigabyte in a strip', 'tif', oneStrip({ width: 100, height: 100, compression: deflate }, zerosDeflated(1024 ** 3))),
    (random) => bomb('noise for LZW', 'tif', oneStrip({ width: 8000, height: 8000, compression: lzw }, noise(random, 1_000_000))),
    (random) =>
      bomb(
        'noise for zstd',
        'tif',
        oneStrip({ width: 8000, height: 8000, compression: zstd }, join(u8(0x28, 0xb5, 0x2f, 0xfd, 0xe0), noise(random, 100_000))),
      ),
    (random) =>
      bomb(
        'noise for JPEG in TIFF',
        'tif',
        oneStrip({ width: 8000, height: 8000, compression: jpeg }, join(u8(0xff, 0xd8, 0xff), noise(random, 1000))),
      ),
    (random) =>
      bomb('noise for WebP in TIFF', 'tif', oneStrip({ width: 8000, height: 8000, samples: 3, compression: webp }, noise(random, 5000))),
    () => bomb('packed bits', 'tif', oneStrip({ width: 8000, height: 8000, compression: packBits }, again(500_000, u8(0x81, 0x00)))),
    () => bomb('8,000 strips of a byte', 'tif', manyStrips({ width: 8000, height: 8000 }, 8000, u8(1))),
    () =>
      bomb(
        '8,000 strips, each the same',
        'tif',
        manyStrips({ width: 8000, height: 8000, compression: deflate }, 8000, deflateSync(zeros(8000))),
      ),
    () => bomb('a tile of 65,520 squared', 'tif', tiled({ width: 64, height: 64 }, 65_520, zeros(100))),
    () =>
      bomb(
        'a tile of 32,768 squared, deflated',
        'tif',
        tiled({ width: 64, height: 64, compression: deflate }, 32_768, zerosDeflated(1024 ** 3)),
      ),
    () => bomb('65,535 samples', 'tif', oneStrip({ width: 1000, height: 1000, samples: 65_535 }, zeros(1000))),
  ],
}

export const tiffDirectories: Family = {
  name: 'tiff-directories',
  bombs: [
    () =>
      bomb(
        '300 pages of 64 megapixels of fax',
        'tif',
        pages({ width: 16_383, height: 3_906, bits: 1, compression: ccittG4 }, 300, whiteRows(3_906)),
      ),
    () =>
      bomb('300 pages of 4 megapixels', 'tif', pages({ width: 2000, height: 2000, compression: deflate }, 300, zerosDeflated(4_000_000))),
    () => bomb('60,000 pages', 'tif', pages({ width: 8, height: 8 }, 60_000, zeros(64))),
    () => bomb('pages in a circle', 'tif', pages({ width: 8, height: 8 }, 3, zeros(64), 'first')),
    () => bomb('a count of 2³² − 1', 'tif', oneStrip({ width: 64, height: 64, more: [[270, 2, 0xffff_ffff, 8]] }, zeros(4096))),
    () =>
      bomb(
        'a list of strips of 2³⁰',
        'tif',
        tiff(8, directory([...entriesOf({ width: 64, height: 64 }), [273, long, 0x4000_0000, 8], [279, long, 0x4000_0000, 8]], 0)),
      ),
    () =>
      bomb(
        '65,535 tags',
        'tif',
        tiff(
          8,
          directory(
            times(65_535, (at) => [at, long, 1, at] as const),
            0,
          ),
          zeros(100),
        ),
      ),
    () => bomb('a colour profile of 2 GiB', 'tif', oneStrip({ width: 64, height: 64, more: [[34_675, 7, 0x7fff_ffff, 8]] }, zeros(4096))),
    () =>
      bomb(
        'a large TIFF of 2⁶² strips',
        'tif',
        big([
          [256, 4, 1n, 8000n],
          [257, 4, 1n, 8000n],
          [258, 3, 1n, 8n],
          [259, 3, 1n, 1n],
          [262, 3, 1n, 1n],
          [273, 16, 1n << 62n, 16n],
          [277, 3, 1n, 1n],
          [278, 4, 1n, 1n],
          [279, 16, 1n << 62n, 16n],
        ]),
      ),
    () =>
      bomb(
        'a large TIFF with its strip at the end of the world',
        'tif',
        big([
          [256, 4, 1n, 8000n],
          [257, 4, 1n, 8000n],
          [258, 3, 1n, 8n],
          [259, 3, 1n, 1n],
          [262, 3, 1n, 1n],
          [273, 16, 1n, (1n << 63n) - 9n],
          [277, 3, 1n, 1n],
          [278, 4, 1n, 8000n],
          [279, 16, 1n, (1n << 63n) - 9n],
        ]),
      ),
  ],
}
