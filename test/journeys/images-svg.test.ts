import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import sharp from 'sharp'
import { openPlace, recipe, type Place } from './fixtures/visits.ts'

const ns = 'xmlns="http://www.w3.org/2000/svg"'
const halves = '<rect width="50%" height="100%" fill="#d02020"/><rect x="50%" width="50%" height="100%" fill="#2020d0"/>'

describe('an SVG', () => {
  let place: Place
  before(async () => {
    place = await openPlace()
  })
  after(() => place.close())

  const visit = (bytes: Buffer | string, svg: 'refuse' | 'rasterize' = 'rasterize', filename = 'a.svg') =>
    place.visit(bytes, filename, { allowMime: ['image/svg+xml'], svg, recipes: { thumb: recipe({ width: 40, format: 'png' }) } })
  const codeOf = async (...given: Parameters<typeof visit>): Promise<string> => {
    const verdict = await visit(...given)
    return verdict.verdict === 'pass' ? 'pass' : verdict.code
  }

  it('is refused unless the profile has it drawn', async () => {
    assert.equal(await codeOf(`<svg ${ns} width="80" height="40">${halves}</svg>`, 'refuse'), 'mime_not_allowed')
  })

  it('is drawn from its own text, as large as it says or as its view is', async () => {
    for (const size of ['width="80" height="40"', 'viewBox="0 0 80 40"', 'width="100%" height="100%" viewBox="0 0 80 40"']) {
      const verdict = await visit(`<svg ${ns} ${size}>${halves}</svg>`)
      assert.ok(verdict.verdict === 'pass', JSON.stringify(verdict))
      const { contentType, width, height, frames } = verdict.facts
      assert.deepEqual([contentType, width, height, frames], ['image/svg+xml', 80, 40, 1])
      const [thumb] = verdict.variants
      assert.ok(thumb?.ok && thumb.width === 40 && thumb.height === 20)
      const pixels = await sharp(thumb.path).removeAlpha().raw().toBuffer()
      assert.deepEqual(
        [[...pixels.subarray(0, 3)], [...pixels.subarray(39 * 3, 40 * 3)]],
        [
          [208, 32, 32],
          [32, 32, 208],
        ],
      )
    }
  })

  it('that names a file beside it, another host or another drawing is refused in words', async () => {
    await sharp({ create: { width: 8, height: 8, channels: 3, background: '#fa0af0' } })
      .png()
      .toFile(join(place.folder, 'secret.png'))
    for (const href of ['secret.png', `file://${place.folder}/secret.png`, 'https://example.org/a.png', 'data:image/svg+xml,<svg/>'])
      assert.equal(await codeOf(`<svg ${ns} width="8" height="8"><image href='${href}'/></svg>`), 'external_reference', href)
  })

  it('that is packed, larger than is taken, broken or in another encoding is refused', async () => {
    const whole = `<svg ${ns} width="80" height="40">${halves}</svg>`
    assert.equal(await codeOf(gzipSync(whole)), 'mime_not_allowed')
    assert.equal(await codeOf(whole.replace('"80"', '"20000"')), 'max_side_exceeded')
    assert.equal(await codeOf(whole.replace('"80" height="40"', '"12000" height="12000"')), 'max_pixels_exceeded')
    assert.equal(await codeOf(whole.slice(0, -10)), 'decode_failed')
    assert.equal(await codeOf(`<?xml version="1.0" encoding="UTF-7"?>${whole}`), 'decode_failed')
  })
})
