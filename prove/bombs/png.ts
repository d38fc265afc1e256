import { deflateSync } from 'node:zlib'
import { again, ascii, join, many, pngChunk, pngSignature, u32, u8, zeros, zerosDeflated } from '../files/bytes.ts'
import { bomb, type Family } from './bomb.ts'

/** Colour types by name, with their channels. */
const colours = { grey: [0, 1], rgb: [2, 3], palette: [3, 1], greyAlpha: [4, 2], rgba: [6, 4] } as const
type Colour = keyof typeof colours

interface Canvas {
  readonly width: number
  readonly height: number
  readonly depth: number
  readonly colour: Colour
  readonly interlaced?: boolean
}

const header = ({ width, height, depth, colour, interlaced = false }: Canvas): Buffer =>
  pngChunk('IHDR', join(u32(width), u32(height), u8(depth, colours[colour][0], 0, 0, interlaced ? 1 : 0)))

/** So many bytes the pixels of a canvas take before they are compressed, the byte that begins each row included. */
const rawBytes = (canvas: Canvas): number => {
  const passes = canvas.interlaced ? adam7 : [{ x: 0, y: 0, stepX: 1, stepY: 1 }]
  return passes.reduce((sum, { x, y, stepX, stepY }) => {
    const width = Math.ceil((canvas.width - x) / stepX)
    const height = Math.ceil((canvas.height - y) / stepY)
    return sum + height * (1 + Math.ceil((width * canvas.depth * colours[canvas.colour][1]) / 8))
  }, 0)
}

const adam7 = [
  { x: 0, y: 0, stepX: 8, stepY: 8 },
  { x: 4, y: 0, stepX: 8, stepY: 8 },
  { x: 0, y: 4, stepX: 4, stepY: 8 },
  { x: 2, y: 0, stepX: 4, stepY: 4 },
  { x: 0, y: 2, stepX: 2, stepY: 4 },
  { x: 1, y: 0, stepX: 2, stepY: 2 },
  { x: 0, y: 1, stepX: 1, stepY: 2 },
]

const palette = pngChunk('PLTE', zeros(6))
const beginning = (canvas: Canvas, ...chunks: readonly Uint8Array[]): Buffer =>
  join(pngSignature, header(canvas), ...chunks, ...(canvas.colour === 'palette' ? [palette] : []))
const end = pngChunk('IEND')

/** 41 bytes: nothing but an announcement, and the beginning of pixels that never come. */
const headerAlone = (canvas: Canvas): Buffer => join(beginning(canvas), u32(0x7fff_ffff), ascii('IDAT'))
/** All of the announced pixels, each of them zero. */
const whole = (canvas: Canvas): Buffer => join(beginning(canvas), pngChunk('IDAT', zerosDeflated(rawBytes(canvas))), end)

const canvases: readonly Canvas[] = [
  { width: 8000, height: 8000, depth: 16, colour: 'rgba' },
  { width: 16_383, height: 3_906, depth: 16, colour: 'rgba' },
  { width: 3_906, height: 16_383, depth: 8, colour: 'rgba' },
  { width: 8000, height: 8000, depth: 8, colour: 'rgb' },
  { width: 8000, height: 8000, depth: 16, colour: 'greyAlpha' },
  { width: 8000, height: 8000, depth: 1, colour: 'palette' },
]
const tooLarge: readonly Canvas[] = [
  { width: 0x7fff_ffff, height: 0x7fff_ffff, depth: 16, colour: 'rgba' },
  { width: 100_000, height: 100_000, depth: 8, colour: 'grey' },
  { width: 16_383, height: 16_383, depth: 8, colour: 'rgb' },
]
const shape = ({ width, height, depth, colour }: Canvas): string => `${width}x${height} ${colour}${depth}`

export const pngCanvas: Family = {
  name: 'png-canvas',
  bombs: [
    ...[...canvases, ...tooLarge].map((canvas) => () => bomb(`announced ${shape(canvas)}`, 'png', headerAlone(canvas))),
    ...canvases.slice(0, 3).map((canvas) => () => bomb(`whole ${shape(canvas)}`, 'png', whole(canvas))),
  ],
}

const small: Canvas = { width: 64, height: 64, depth: 8, colour: 'rgb' }

export const pngDeflate: Family = {
  name: 'png-deflate',
  bombs: [
    () => bomb('a gigabyte behind 64x64', 'png', join(beginning(small), pngChunk('IDAT', zerosDeflated(1024 ** 3)), end)),
    () => {
      const canvas: Canvas = { width: 16_383, height: 3_900, depth: 8, colour: 'rgba' }
      return bomb('pixels twice over', 'png', join(beginning(canvas), pngChunk('IDAT', zerosDeflated(2 * rawBytes(canvas))), end))
    },
    (random) => {
      const canvas: Canvas = { width: 8000, height: 7000 + random.int(900), depth: 16, colour: 'rgb' }
      return bomb('cut in the middle', 'png', whole(canvas).subarray(0, -100_000))
    },
    () =>
      bomb(
        '100,000 empty parts',
        'png',
        join(
          beginning(small),
          many(100_000, () => pngChunk('IDAT')),
          end,
        ),
      ),
    () => {
      const stream = zerosDeflated(rawBytes({ ...small, width: 4000, height: 4000 }))
      const bytes = many(stream.length, (at) => pngChunk('IDAT', stream.subarray(at, at + 1)))
      return bomb('a byte a part', 'png', join(beginning({ ...small, width: 4000, height: 4000 }), bytes, end))
    },
    (random) =>
      bomb(
        'noise for a stream',
        'png',
        join(beginning(canvases[0] ?? small), pngChunk('IDAT', join(u8(0x78, 0xda), random.bytes(300_000))), end),
      ),
    () => bomb('stored blocks of nothing', 'png', join(beginning(small), pngChunk('IDAT', emptyBlocks(400_000)), end)),
  ],
}

/** A deflate stream that goes on for as many blocks as it is asked to, and says nothing. */
const emptyBlocks = (count: number): Buffer => join(u8(0x78, 0xda), again(count, u8(0x00, 0x00, 0x00, 0xff, 0xff)))

const interlacedCanvases: readonly Canvas[] = [
  { width: 8000, height: 8000, depth: 16, colour: 'rgba', interlaced: true },
  { width: 8000, height: 8000, depth: 8, colour: 'rgba', interlaced: true },
  { width: 8000, height: 8000, depth: 8, colour: 'rgb', interlaced: true },
  { width: 16_383, height: 3_906, depth: 16, colour: 'rgb', interlaced: true },
  { width: 3_906, height: 16_383, depth: 8, colour: 'rgba', interlaced: true },
]

export const pngInterlaced: Family = {
  name: 'png-interlaced',
  bombs: [
    ...interlacedCanvases.map((canvas) => () => bomb(`announced ${shape(canvas)}`, 'png', headerAlone(canvas))),
    ...interlacedCanvases.slice(0, 4).map((canvas) => () => bomb(`whole ${shape(canvas)}`, 'png', whole(canvas))),
    () => {
      const canvas: Canvas = { width: 16_383, height: 1, depth: 16, colour: 'rgba', interlaced: true }
      return bomb('one row in seven passes', 'png', whole(canvas))
    },
  ],
}

const withChunks = (...chunks: readonly Uint8Array[]): Buffer =>
  join(beginning(small, ...chunks), pngChunk('IDAT', deflateSync(zeros(rawBytes(small)))), end)
const compressedText = (megabytes: number): Buffer =>
  pngChunk('zTXt', join(ascii('Comment\0'), u8(0), zerosDeflated(megabytes * 1024 ** 2)))
const international = (megabytes: number): Buffer =>
  pngChunk('iTXt', join(ascii('XML:com.adobe.xmp\0'), u8(1, 0, 0, 0), zerosDeflated(megabytes * 1024 ** 2)))
const colourProfile = (megabytes: number): Buffer => pngChunk('iCCP', join(ascii('icc\0'), u8(0), zerosDeflated(megabytes * 1024 ** 2)))

export const pngText: Family = {
  name: 'png-text',
  bombs: [
    () => bomb('zTXt of 1 GiB', 'png', withChunks(compressedText(1024))),
    () => bomb('twenty zTXt of 200 MiB', 'png', withChunks(again(20, compressedText(200)))),
    () => bomb('2,000 zTXt of 7 MiB', 'png', withChunks(again(2000, compressedText(7)))),
    () => bomb('iTXt of 1 GiB', 'png', withChunks(international(1024))),
    () => bomb('900 iTXt of 7 MiB', 'png', withChunks(again(900, international(7)))),
    () => bomb('iCCP of 1 GiB', 'png', withChunks(colourProfile(1024))),
    () => bomb('iCCP of 7 MiB', 'png', withChunks(colourProfile(7))),
    () => bomb('300,000 tEXt', 'png', withChunks(many(300_000, (index) => pngChunk('tEXt', ascii(`k${index}\0v`))))),
    () => bomb('300,000 unknown parts', 'png', withChunks(many(300_000, () => pngChunk('ruSt', u8(1))))),
    (random) => {
      const long = pngChunk('tEXt', join(ascii('Comment\0'), Buffer.alloc(4_000_000, 97 + random.int(26))))
      return bomb('tEXt of 4 MB, twice', 'png', withChunks(long, long))
    },
    () => bomb('zTXt after the pixels', 'png', join(withChunks().subarray(0, -12), compressedText(1024), end)),
  ],
}
