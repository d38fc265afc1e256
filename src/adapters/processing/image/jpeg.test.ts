import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import sharp, { type JpegOptions } from 'sharp'
import { countScans } from './jpeg.ts'

describe('the scans of a JPEG', () => {
  let folder: string
  before(() => (folder = mkdtempSync(join(tmpdir(), 'rindle-jpeg-'))))
  after(() => rmSync(folder, { recursive: true }))

  const scansOf = (bytes: Buffer, enough = 1_000): number => {
    const path = join(folder, 'a.jpg')
    writeFileSync(path, bytes)
    return countScans(path, enough)
  }
  const photo = (options: JpegOptions): Promise<Buffer> =>
    sharp(
      Buffer.from({ length: 900 * 700 * 3 }).map((_, at) => (at * 7919) % 251),
      { raw: { width: 900, height: 700, channels: 3 } },
    )
      .jpeg({ quality: 95, ...options })
      .toBuffer()

  it('are one where the picture comes at once, ten where it comes step by step', async () => {
    const [baseline, progressive] = [await photo({}), await photo({ progressive: true })]
    assert.ok(baseline.length > 512 * 1024, 'longer than what is read at a time')
    assert.equal(scansOf(baseline), 1)
    assert.equal(scansOf(progressive), 10)
  })

  it('are not what looks like one inside of a comment or behind the end', async () => {
    const baseline = await photo({})
    const comment = Buffer.concat([Buffer.from([0xff, 0xfe, 0, 12]), Buffer.alloc(10, Buffer.from([0xff, 0xda]))])
    assert.equal(scansOf(Buffer.concat([baseline.subarray(0, 2), comment, baseline.subarray(2), baseline])), 1)
  })

  it('are counted no further than is enough, and as far as a broken file goes', async () => {
    const progressive = await photo({ progressive: true })
    const last = progressive.lastIndexOf(Buffer.from([0xff, 0xda]))
    const many = Buffer.concat([progressive.subarray(0, -2), ...Array.from({ length: 500 }, () => progressive.subarray(last, -2))])
    assert.equal(scansOf(many), 510)
    assert.equal(scansOf(many, 101), 101)
    assert.equal(scansOf(progressive.subarray(0, last)), 9)
    for (const bytes of [Buffer.alloc(0), Buffer.from([0xff]), Buffer.from([0xff, 0xd8, 0xff, 0xda]), Buffer.alloc(9, 0xff)])
      assert.ok(scansOf(bytes) <= 1)
  })
})
