import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { crc32 } from 'node:zlib'
import { isRindleError } from '../../../core/errors.ts'
import { framesIn } from './frames.ts'

const u32 = (...values: readonly number[]): Buffer => {
  const bytes = Buffer.alloc(4 * values.length)
  values.forEach((value, index) => bytes.writeUInt32BE(value, 4 * index))
  return bytes
}
const chunk = (type: string, ...parts: readonly Buffer[]): Buffer => {
  const named = Buffer.concat([Buffer.from(type, 'latin1'), ...parts])
  return Buffer.concat([u32(named.length - 4), named, u32(crc32(named))])
}
const control = (sequence: number): Buffer => chunk('fcTL', u32(sequence, 8, 8, 0, 0), Buffer.alloc(6))
const data = (sequence: number): Buffer => chunk('fdAT', u32(sequence), Buffer.from('pixels'))
const png = (...chunks: readonly Buffer[]): Buffer =>
  Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), chunk('IHDR', u32(8, 8), Buffer.alloc(5)), ...chunks, chunk('IEND')])
const box = (type: string, ...parts: readonly Buffer[]): Buffer => {
  const body = Buffer.concat(parts)
  return Buffer.concat([u32(body.length + 8), Buffer.from(type, 'latin1'), body])
}
const sequence = (samples: number, ...more: readonly Buffer[]): Buffer => {
  const table = box('stbl', box('stsz', u32(0, 0, samples), Buffer.alloc(4 * samples)))
  return Buffer.concat([box('ftyp', Buffer.from('avif')), box('moov', ...more, box('trak', box('mdia', box('minf', table))))])
}

describe('the frames that a decoder does not show', () => {
  let folder = ''
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'rindle-frames-'))
  })
  after(() => rm(folder, { recursive: true, force: true }))

  const count = async (bytes: Buffer, contentType: string): Promise<number> => {
    const path = join(folder, 'picture')
    await writeFile(path, bytes)
    const size = { width: 8, height: 8, frames: 1, animated: false, hasAlpha: false, page: 0, colourProfile: null, bytesPerPixel: 4 }
    return framesIn(path, { ...size, contentType })
  }
  const animation = (count: number): Buffer =>
    png(
      chunk('acTL', u32(count, 0)),
      ...[control(0), chunk('IDAT', Buffer.from('x'))],
      ...Array.from({ length: count - 1 }, (_, index) => [control(2 * index + 1), data(2 * index + 2)]).flat(),
    )

  it('are counted in animated PNGs and in sequences', async () => {
    assert.equal(await count(png(chunk('IDAT', Buffer.from('x'))), 'image/png'), 1)
    assert.equal(await count(animation(200), 'image/png'), 200)
    for (const type of ['image/avif', 'image/heic']) assert.equal(await count(sequence(20), type), 20)
    assert.equal(await count(box('ftyp', Buffer.from('avif')), 'image/avif'), 1)
  })

  it('are refused where they are cut, damaged, out of order or more or fewer than announced', async () => {
    const [head, picture] = [chunk('acTL', u32(2, 0)), chunk('IDAT', Buffer.from('x'))]
    const damaged = data(2)
    damaged[14] = 0
    const broken = [
      png(head, control(0), picture, control(1), data(3)),
      png(head, control(0), picture, control(1)),
      png(head, control(0), picture),
      png(head, control(0), picture, control(1), damaged),
      png(head, control(0), picture, control(1), data(2), control(3), data(4)),
      png(head, control(0), picture, control(1), chunk('fdAT', u32(2))),
      animation(5).subarray(0, -40),
    ]
    for (const [index, bytes] of broken.entries()) await assert.rejects(count(bytes, 'image/png'), isDecodeFailed, String(index))
    await assert.rejects(count(sequence(2, box('mvex')), 'image/avif'), isDecodeFailed)
  })
})

const isDecodeFailed = (err: unknown): boolean => isRindleError(err) && err.code === 'decode_failed'
