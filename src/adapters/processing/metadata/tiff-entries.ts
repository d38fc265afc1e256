import { type Bytes, inside } from './bytes.ts'

/** How numbers stand in this TIFF block: its byte order, and whether it is a BigTIFF. */
export interface Layout {
  readonly first: number
  readonly countBytes: number
  readonly entryBytes: number
  readonly offsetBytes: number
  readonly big: boolean
  u16(bytes: Buffer, at: number): number
  u32(bytes: Buffer, at: number): number
  /** 0 for what no file can hold. */
  u64(bytes: Buffer, at: number): number
  offsetAt(bytes: Bytes, at: number): number
  offset(value: number): Buffer
  count(value: number): Buffer
}

export interface Entry {
  readonly tag: number
  readonly type: number
  readonly count: number
  /** Of its value in bytes. */
  readonly length: number
  /** Where its value stands, within the entry or elsewhere. It may lie outside of the file. */
  readonly start: number
  readonly inline: boolean
  /** The entry itself. */
  readonly row: Buffer
}

/** Bytes per value, by type. */
const widths = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8]

/** @returns null for what does not begin like TIFF. */
export const layoutOf = (bytes: Bytes): Layout | null => {
  if (bytes.size < 8) return null
  const head = bytes.read(0, Math.min(16, bytes.size))
  const order = head.toString('latin1', 0, 2)
  if (order !== 'II' && order !== 'MM') return null
  const little = order === 'II'
  const u16 = (from: Buffer, at: number): number => (little ? from.readUInt16LE(at) : from.readUInt16BE(at))
  const u32 = (from: Buffer, at: number): number => (little ? from.readUInt32LE(at) : from.readUInt32BE(at))
  const u64 = (from: Buffer, at: number): number => {
    const value = little ? from.readBigUInt64LE(at) : from.readBigUInt64BE(at)
    return value > BigInt(Number.MAX_SAFE_INTEGER) ? 0 : Number(value)
  }
  const big = u16(head, 2) === 43
  if (big && head.length < 16) return null
  const offsetBytes = big ? 8 : 4
  const written = (value: number, width: number): Buffer => {
    const field = Buffer.alloc(width)
    if (little) field.writeUIntLE(value, 0, Math.min(width, 6))
    else field.writeUIntBE(value, Math.max(0, width - 6), Math.min(width, 6))
    return field
  }
  return {
    ...{ big, offsetBytes, countBytes: big ? 8 : 2, entryBytes: big ? 20 : 12, u16, u32, u64 },
    first: big ? u64(head, 8) : u32(head, 4),
    offsetAt: (from, at) => {
      if (!inside(at, offsetBytes, from.size)) return 0
      const field = from.read(at, offsetBytes)
      return big ? u64(field, 0) : u32(field, 0)
    },
    offset: (value) => written(value, offsetBytes),
    count: (value) => written(value, big ? 8 : 2),
  }
}

/** More entries in a directory than any camera or editor writes. */
const mostEntries = 65_535

/** @returns null when there is no whole directory there. */
export const entriesOf = (bytes: Bytes, layout: Layout, at: number): Entry[] | null => {
  const { countBytes, entryBytes, offsetBytes, big, u16, u32, u64 } = layout
  if (at < 8 || !inside(at, countBytes, bytes.size)) return null
  const field = bytes.read(at, countBytes)
  const count = big ? u64(field, 0) : u16(field, 0)
  if (count > mostEntries || !inside(at + countBytes, count * entryBytes, bytes.size)) return null
  const table = bytes.read(at + countBytes, count * entryBytes)
  return Array.from({ length: count }, (_, index) => {
    const row = table.subarray(index * entryBytes, (index + 1) * entryBytes)
    const type = u16(row, 2)
    const values = big ? u64(row, 4) : u32(row, 4)
    const length = values * (widths[type] ?? 1)
    const inline = length <= offsetBytes
    const valueAt = big ? 12 : 8
    const start = inline ? at + countBytes + index * entryBytes + valueAt : big ? u64(row, valueAt) : u32(row, valueAt)
    return { tag: u16(row, 0), type, count: values, length, start, inline, row }
  })
}

const mostValues = 1_048_576

/** Whole numbers of an entry; none when its value is not there. */
export const valuesOf = (bytes: Bytes, layout: Layout, entry: Entry): number[] => {
  const width = widths[entry.type] ?? 0
  if (entry.count > mostValues || ![1, 2, 4, 8].includes(width) || !inside(entry.start, entry.length, bytes.size)) return []
  const field = bytes.read(entry.start, entry.length)
  return Array.from({ length: entry.count }, (_, index) => {
    const at = index * width
    if (width === 1) return field[at] ?? 0
    if (width === 2) return layout.u16(field, at)
    return width === 4 ? layout.u32(field, at) : layout.u64(field, at)
  })
}
