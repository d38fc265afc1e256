import { ascii, join, u8 } from '../files/bytes.ts'

/** An element of Matroska, whose id is given in hexadecimal digits. Its size takes four bytes. */
export const element = (id: string, ...content: readonly Uint8Array[]): Buffer => {
  const body = join(...content)
  const size = Buffer.alloc(4)
  size.writeUInt32BE(body.length)
  size[0] = (size[0] ?? 0) | 0x10
  return join(Buffer.from(id, 'hex'), size, body)
}

/** One whose end is not told. */
export const open = (id: string, ...content: readonly Uint8Array[]): Buffer =>
  join(Buffer.from(id, 'hex'), u8(0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), ...content)

export const number = (id: string, value: number, bytes = 8): Buffer => {
  const body = Buffer.alloc(8)
  body.writeBigUInt64BE(BigInt(value))
  return element(id, body.subarray(8 - bytes))
}

export const float = (id: string, value: number): Buffer => {
  const body = Buffer.alloc(8)
  body.writeDoubleBE(value)
  return element(id, body)
}

export const matroskaHead = element('1a45dfa3', element('4282', ascii('matroska')), number('4287', 4, 1), number('4285', 2, 1))

/** The same film in a segment whose end is not told, with an element put in where its content begins. */
export const matroskaOf = (mkv: Buffer, extra: Buffer): Buffer => {
  const at = mkv.indexOf(Buffer.from('18538067', 'hex'))
  const first = mkv[at + 4] ?? 1
  const lengthOfSize = Math.clz32(first) - 23
  return join(mkv.subarray(0, at), open('18538067', extra, mkv.subarray(at + 4 + lengthOfSize)))
}
