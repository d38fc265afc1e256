import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import sharp, { type WebpOptions } from 'sharp'
import { type Announced, announcedBy } from './webp.ts'

describe('what a WebP announces', () => {
  let folder: string
  before(() => (folder = mkdtempSync(join(tmpdir(), 'rindle-webp-'))))
  after(() => rmSync(folder, { recursive: true }))

  const announced = (bytes: Uint8Array): Announced | null => {
    const path = join(folder, 'a.webp')
    writeFileSync(path, bytes)
    return announcedBy(path)
  }
  const plain = (background: string): Buffer | Promise<Buffer> =>
    sharp({ create: { width: 301, height: 7, channels: 4, background } })
      .png()
      .toBuffer()
  const picture = async (options: WebpOptions, background = '#123'): Promise<Buffer> =>
    sharp(await plain(background))
      .webp(options)
      .toBuffer()

  for (const [kind, options, background, chunk] of [
    ['with loss', {}, '#123456', 'VP8 '],
    ['without loss', { lossless: true }, '#123456', 'VP8L'],
    ['with alpha', {}, '#12345678', 'VP8X'],
  ] as const)
    it(`is its canvas ${kind}`, async () => {
      const bytes = await picture(options, background)
      assert.equal(bytes.toString('latin1', 12, 16), chunk)
      assert.deepEqual(announced(bytes), { width: 301, height: 7, frames: 1 })
    })

  it('is its canvas and the number of frames when it moves, as far as it goes', async () => {
    const colours = ['#100', '#020', '#003']
    const bytes = await sharp(await Promise.all(colours.map(plain)), { join: { animated: true } })
      .webp()
      .toBuffer()
    assert.deepEqual(announced(bytes), { width: 301, height: 7, frames: 3 })
    assert.deepEqual(announced(bytes.subarray(0, bytes.lastIndexOf('ANMF'))), { width: 301, height: 7, frames: 2 })
  })

  it('is nothing where there is no picture', async () => {
    const bytes = await picture({})
    assert.equal(announced(bytes.subarray(0, 24)), null)
    assert.equal(announced(Buffer.from('RIFF....WEBPJUNK............................')), null)
    assert.equal(announced(new Uint8Array()), null)
  })
})
