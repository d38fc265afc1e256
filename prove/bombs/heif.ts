import sharp from 'sharp'
import { again, all, ascii, box, fullBox, join, times, u16, u32, u8, zeros } from '../files/bytes.ts'
import { bomb, type Bomb, type Family } from './bomb.ts'

interface Item {
  readonly type: string
  readonly properties: readonly number[]
  /** Of the data beside the boxes, or of the boxes' own. */
  readonly from: 'mdat' | 'idat'
  readonly start: number
  readonly length: number
}

interface Container {
  readonly brand: string
  readonly items: readonly Item[]
  /** Numbered from 1 by the items' properties. */
  readonly properties: readonly Uint8Array[]
  readonly references?: readonly Uint8Array[]
  readonly idat?: Uint8Array
  readonly mdat: Uint8Array
  readonly primary?: number
}

const entries = (items: readonly Item[]): Buffer =>
  fullBox(
    'iinf',
    0,
    0,
    u16(items.length),
    all(items, ({ type }, at) => fullBox('infe', 2, 0, u16(at + 1), u16(0), ascii(type), u8(0))),
  )

const associations = (items: readonly Item[]): Buffer =>
  fullBox(
    'ipma',
    0,
    0,
    u32(items.length),
    all(items, ({ properties }, at) => join(u16(at + 1), u8(properties.length, ...properties))),
  )

const locations = (items: readonly Item[], mdatStart: number): Buffer =>
  fullBox(
    'iloc',
    1,
    0,
    u8(0x44, 0),
    u16(items.length),
    all(items, ({ from, start, length }, at) => {
      const begin = from === 'mdat' ? mdatStart + start : start
      return join(u16(at + 1), u16(from === 'mdat' ? 0 : 1), u16(0), u16(1), u32(begin), u32(length))
    }),
  )

const container = ({ brand, items, properties, references = [], idat, mdat, primary = 1 }: Container): Buffer => {
  const type = box('ftyp', ascii(brand), u32(0), ascii('mif1'), ascii('miaf'), ascii(brand))
  const meta = (mdatStart: number): Buffer =>
    fullBox(
      'meta',
      0,
      0,
      fullBox('hdlr', 0, 0, u32(0), ascii('pict'), zeros(13)),
      fullBox('pitm', 0, 0, u16(primary)),
      locations(items, mdatStart),
      entries(items),
      ...(references.length > 0 ? [fullBox('iref', 0, 0, ...references)] : []),
      box(
        'iprp',
        box(
          'ipco',
          all(properties, (one) => one),
        ),
        associations(items),
      ),
      ...(idat ? [box('idat', idat)] : []),
    )
  return join(type, meta(type.length + meta(0).length + 8), box('mdat', mdat))
}

const extents = (width: number, height: number): Buffer => fullBox('ispe', 0, 0, u32(width), u32(height))
const grid = (rows: number, columns: number, width: number, height: number): Buffer =>
  join(u8(0, 1, rows - 1, columns - 1), u32(width), u32(height))
const madeOf = (from: number, to: readonly number[]): Buffer => box('dimg', u16(from), u16(to.length), all(to, u16))

/** What decodes one small picture: its configuration and its data. */
interface Tile {
  readonly side: number
  readonly configuration: Uint8Array
  readonly data: Uint8Array
}

const tileSide = 64

const avifTile = async (side = tileSide): Promise<Tile> => {
  const whole = await sharp({ create: { width: side, height: side, channels: 3, background: '#456' } })
    .avif({ effort: 0 })
    .toBuffer()
  return { side, configuration: cutOut(whole, 'av1C'), data: cutOut(whole, 'mdat').subarray(8) }
}

const cutOut = (file: Buffer, type: string): Buffer => {
  const at = file.indexOf(type, 0, 'latin1') - 4
  if (at < 0) throw new TypeError(`a picture without ${type}`)
  return file.subarray(at, at + file.readUInt32BE(at))
}

/** Nothing that decodes: what a HEVC decoder is configured with, all zero. */
const hevcTile: Tile = { side: tileSide, configuration: box('hvcC', u8(1), zeros(22)), data: zeros(64) }

const lying = ({ configuration, data }: Tile, brand: string, width: number, height: number): Buffer =>
  container({
    brand,
    items: [{ type: brand === 'avif' ? 'av01' : 'hvc1', properties: [1, 2], from: 'mdat', start: 0, length: data.length }],
    properties: [extents(width, height), configuration],
    mdat: data,
  })

const gridded = (
  tile: Tile,
  brand: string,
  { rows, columns, width, height }: { rows: number; columns: number; width: number; height: number },
): Buffer => {
  const plan = grid(rows, columns, width, height)
  const { data } = tile
  return container({
    brand,
    items: [
      { type: 'grid', properties: [1], from: 'idat', start: 0, length: plan.length },
      { type: brand === 'avif' ? 'av01' : 'hvc1', properties: [2, 3], from: 'mdat', start: 0, length: data.length },
    ],
    properties: [extents(width, height), extents(tile.side, tile.side), tile.configuration],
    references: [
      madeOf(
        1,
        times(rows * columns, () => 2),
      ),
    ],
    idat: plan,
    mdat: data,
  })
}

/** Grids of grids, each of which is made of the next, many times. */
const nested = (tile: Tile, brand: string, depth: number): Buffer => {
  const plan = grid(8, 8, 4096, 4096)
  const grids = times(depth, (): Item => ({ type: 'grid', properties: [1], from: 'idat', start: 0, length: plan.length }))
  return container({
    brand,
    items: [...grids, { type: brand === 'avif' ? 'av01' : 'hvc1', properties: [2, 3], from: 'mdat', start: 0, length: tile.data.length }],
    properties: [extents(4096, 4096), extents(tile.side, tile.side), tile.configuration],
    references: grids.map((_, at) =>
      madeOf(
        at + 1,
        times(64, () => at + 2),
      ),
    ),
    idat: plan,
    mdat: tile.data,
  })
}

const manyItems = (tile: Tile, brand: string, count: number): Buffer =>
  container({
    brand,
    items: times(count, () => ({
      type: brand === 'avif' ? 'av01' : 'hvc1',
      properties: [1, 2],
      from: 'mdat',
      start: 0,
      length: tile.data.length,
    })),
    properties: [extents(tile.side, tile.side), tile.configuration],
    mdat: tile.data,
  })

const manyProperties = (tile: Tile, brand: string): Buffer =>
  container({
    brand,
    items: [{ type: brand === 'avif' ? 'av01' : 'hvc1', properties: [1, 2], from: 'mdat', start: 0, length: tile.data.length }],
    properties: [extents(tile.side, tile.side), tile.configuration, again(100_000, box('pixi', zeros(8)))],
    mdat: tile.data,
  })

/** An extent that reaches far beyond the file. */
const overlong = (tile: Tile, brand: string): Buffer =>
  container({
    brand,
    items: [{ type: brand === 'avif' ? 'av01' : 'hvc1', properties: [1, 2], from: 'mdat', start: 0, length: 0x7fff_0000 }],
    properties: [extents(tile.side, tile.side), tile.configuration],
    mdat: tile.data,
  })

const boxes = (brand: string, depth: number): Buffer => {
  let inside: Buffer = Buffer.alloc(0)
  for (let level = 0; level < depth; level++) inside = box('iprp', inside)
  return join(box('ftyp', ascii(brand), u32(0), ascii('mif1'), ascii(brand)), fullBox('meta', 0, 0, inside))
}

const shapes = (brand: 'avif' | 'heic', tileOf: () => Promise<Tile> | Tile): Family['bombs'] => {
  const make = async (name: string, bytesOf: (tile: Tile) => Buffer): Promise<Bomb> => bomb(name, brand, bytesOf(await tileOf()))
  return [
    () => make('a tile that says 8000 by 8000', (tile) => lying(tile, brand, 8000, 8000)),
    () => make('a tile that says 16383 by 3906', (tile) => lying(tile, brand, 16_383, 3_906)),
    () => make('a tile that says 2³¹ squared', (tile) => lying(tile, brand, 0x7fff_ffff, 0x7fff_ffff)),
    () => make('15,625 tiles for 8000 by 8000', (tile) => gridded(tile, brand, { rows: 125, columns: 125, width: 8000, height: 8000 })),
    () => make('65,025 tiles', (tile) => gridded(tile, brand, { rows: 255, columns: 255, width: 16_320, height: 3_900 })),
    () => make('one tile for a grid of 8000', (tile) => gridded(tile, brand, { rows: 1, columns: 1, width: 8000, height: 8000 })),
    () => make('grids in grids', (tile) => nested(tile, brand, 5)),
    () => make('grids in grids, deeper', (tile) => nested(tile, brand, 40)),
    () => make('60,000 pictures', (tile) => manyItems(tile, brand, 60_000)),
    () => make('100,000 properties', (tile) => manyProperties(tile, brand)),
    () => make('an extent beyond the file', (tile) => overlong(tile, brand)),
    () => make('10,000 boxes in boxes', () => boxes(brand, 10_000)),
  ]
}

/** A whole picture of 64 megapixels: its header says 8000 by 8000 and is right. */
const honest = async (): Promise<Bomb> => {
  const bytes = await sharp({ create: { width: 8000, height: 8000, channels: 3, background: '#456' } })
    .avif({ effort: 0, quality: 10 })
    .toBuffer()
  return bomb('64 megapixels of one colour', 'avif', bytes)
}

/** As many tiles as decoders take, all of them the same one. */
const tiledWhole = async (): Promise<Bomb> => {
  const bytes = gridded(await avifTile(500), 'avif', { rows: 16, columns: 16, width: 8000, height: 8000 })
  return bomb('256 tiles for 8000 by 8000', 'avif', bytes)
}

export const avifShapes: Family = { name: 'avif', bombs: [...shapes('avif', avifTile), honest, tiledWhole] }
export const heicShapes: Family = { name: 'heic', bombs: shapes('heic', () => hevcTile) }
