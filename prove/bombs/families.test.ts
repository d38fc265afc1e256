import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { inflateSync } from 'node:zlib'
import sharp from 'sharp'
import { zerosDeflated } from '../files/bytes.ts'
import { createRandom } from '../harness.ts'
import type { Bomb } from './bomb.ts'
import { families } from './families.ts'

const made = async (family: string, name: string, seed = 1): Promise<Bomb> => {
  const all = families.find((one) => one.name === family)?.bombs ?? []
  for (const [index, make] of all.entries()) {
    const bomb = await make(createRandom(seed).fork(`${family} ${index}`))
    if (bomb.name === name) return bomb
  }
  throw new TypeError(`no bomb is called ${name}`)
}

describe('the bombs', () => {
  it('are more than a hundred, of more than a dozen families', () => {
    assert.ok(families.length >= 12)
    assert.ok(families.reduce((sum, { bombs }) => sum + bombs.length, 0) >= 100)
    assert.equal(new Set(families.map(({ name }) => name)).size, families.length)
  })

  it('announce the most pixels that are let through in 41 bytes', async () => {
    const { bytes } = await made('png-canvas', 'announced 8000x8000 rgba16')
    assert.equal(bytes.length, 41)
    const { width, height } = await sharp(bytes, { limitInputPixels: false }).metadata()
    assert.deepEqual([width, height], [8000, 8000])
  })

  it('hold as many zeros as they say', () => {
    for (const length of [0, 1, 70_000, 16 * 1024 * 1024, 40_000_001]) assert.equal(inflateSync(zerosDeflated(length)).length, length)
  })

  // What is broken in the first byte hurts nobody: these are decoded to their end by whoever sets no limit.
  const whole = [
    ['gif-canvas', 'one frame of 64 megapixels', 8000],
    ['gif-frames', '300 full frames of 4 megapixels', 2000],
    ['webp-canvas', '16383 by 3906 of one colour', 16_383],
    ['webp-frames', '300 frames of 4 megapixels', 2000],
    ['tiff-strips', '64 megapixels of fax', 16_383],
    ['tiff-directories', '300 pages of 4 megapixels', 2000],
    ['jpeg-frames', '16,383 by 3,906 of one colour', 16_383],
  ] as const
  for (const [family, name, width] of whole) {
    it(`are whole where that is what hurts: ${family}, ${name}`, async () => {
      const { bytes } = await made(family, name)
      const { info } = await sharp(bytes, { limitInputPixels: false, failOn: 'warning', sequentialRead: true })
        .extract({ left: 0, top: 0, width, height: 64 })
        .raw()
        .toBuffer({ resolveWithObject: true })
      assert.equal(info.width, width)
    })
  }

  it('follow from the seed alone', async () => {
    const [one, same, other] = await Promise.all([1, 1, 2].map((seed) => made('jpeg-frames', 'arithmetic noise', seed)))
    assert.deepEqual(one?.bytes, same?.bytes)
    assert.notDeepEqual(one?.bytes, other?.bytes)
  })
})
