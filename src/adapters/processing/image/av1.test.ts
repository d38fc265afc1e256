import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import sharp from 'sharp'
import { av1CodingOf } from './av1.ts'

describe('how an AVIF is coded', () => {
  let folder: string
  before(() => (folder = mkdtempSync(join(tmpdir(), 'rindle-avif-'))))
  after(() => rmSync(folder, { recursive: true }))

  const codingOf = (bytes: Buffer): ReturnType<typeof av1CodingOf> => {
    const path = join(folder, 'a.avif')
    writeFileSync(path, bytes)
    return av1CodingOf(path)
  }
  const picture = (chromaSubsampling: '4:2:0' | '4:4:4'): Promise<Buffer> =>
    sharp({ create: { width: 40, height: 30, channels: 3, background: '#123456' } })
      .avif({ effort: 0, chromaSubsampling })
      .toBuffer()
  /** The same with other flags in the first description of its coding. */
  const flagged = async (flags: number): Promise<Buffer> => {
    const bytes = await picture('4:2:0')
    bytes[bytes.indexOf('av1C') + 4 + 2] = flags
    return bytes
  }

  for (const chroma of ['4:2:0', '4:4:4'] as const)
    it(`is eight bits in ${chroma} as it was asked for`, async () =>
      assert.deepEqual(codingOf(await picture(chroma)), { bitsPerSample: 8, chroma }))

  for (const [flags, bitsPerSample, chroma] of [
    [0x4c, 10, '4:2:0'],
    [0x68, 12, '4:2:2'],
    [0x40, 10, '4:4:4'],
    [0x1c, 8, '4:2:0'],
  ] as const)
    it(`is ${bitsPerSample} bits in ${chroma} by the flags 0x${flags.toString(16)}`, async () =>
      assert.deepEqual(codingOf(await flagged(flags)), { bitsPerSample, chroma }))

  it('is not known where the file does not say it', async () => {
    const bytes = await picture('4:2:0')
    assert.equal(codingOf(bytes.subarray(0, 40)), null)
    assert.equal(codingOf(Buffer.alloc(0)), null)
    bytes.write('free', bytes.indexOf('av1C'), 'latin1')
    assert.equal(codingOf(bytes), null)
  })
})
