import { crc32, deflateRawSync, constants } from 'node:zlib'

/** Pieces of files, written by hand: big-endian unless said. */
export const ascii = (text: string): Uint8Array => Buffer.from(text, 'latin1')
export const u8 = (...values: number[]): Uint8Array => Uint8Array.from(values)
export const u16 = (value: number): Uint8Array => u8((value >>> 8) & 255, value & 255)
export const u32 = (value: number): Uint8Array => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value >>> 0)
  return bytes
}
export const u64 = (value: bigint): Uint8Array => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(value)
  return bytes
}
export const le16 = (value: number): Uint8Array => u16(value).toReversed()
export const le24 = (value: number): Uint8Array => le32(value).subarray(0, 3)
export const le32 = (value: number): Uint8Array => u32(value).toReversed()
export const le64 = (value: bigint): Uint8Array => u64(value).toReversed()
export const join = (...parts: readonly Uint8Array[]): Buffer => Buffer.concat(parts)
export const zeros = (length: number): Uint8Array => new Uint8Array(length)
export const times = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, index) => make(index))

/** All that is made, in one piece: as arguments, a hundred thousand pieces do not fit. */
export const many = (count: number, make: (index: number) => Uint8Array): Buffer => Buffer.concat(times(count, make))
export const again = (count: number, part: Uint8Array): Buffer => many(count, () => part)
export const all = <T>(list: readonly T[], make: (one: T, index: number) => Uint8Array): Buffer => Buffer.concat(list.map(make))

export const pngSignature = u8(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a)
export const pngChunk = (type: string, body: Uint8Array = zeros(0)): Buffer => {
  const typed = join(ascii(type), body)
  return join(u32(body.length), typed, u32(crc32(typed)))
}

const segmentBytes = 16 * 1024 * 1024
let segment: Uint8Array | null = null

/** A zlib stream of so many zeros, at a thousandth of their number. */
export const zerosDeflated = (length: number): Buffer => {
  segment ??= deflateRawSync(zeros(segmentBytes), { level: 9, finishFlush: constants.Z_SYNC_FLUSH })
  const whole = Math.floor(length / segmentBytes)
  const rest = deflateRawSync(zeros(length % segmentBytes), { level: 9 })
  const parts = times(whole, () => segment ?? zeros(0))
  return join(u8(0x78, 0xda), ...parts, rest, u16(length % 65_521), u16(1))
}

/** One box of an ISO file. */
export const box = (type: string, ...body: readonly Uint8Array[]): Buffer => {
  const inside = join(...body)
  return join(u32(inside.length + 8), ascii(type), inside)
}
export const fullBox = (type: string, version: number, flags: number, ...body: readonly Uint8Array[]): Buffer =>
  box(type, u32((version << 24) | flags), ...body)

/** One chunk of a RIFF file. */
export const riffChunk = (type: string, ...body: readonly Uint8Array[]): Buffer => {
  const inside = join(...body)
  return join(ascii(type), le32(inside.length), inside, zeros(inside.length % 2))
}
