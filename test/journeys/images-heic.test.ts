import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { after, before, describe, it } from 'node:test'
import sharp from 'sharp'
import { codedOf, encodeAvif, encodeHeic, heifFile, type Coded } from './fixtures/heif-file.ts'
import { limits, openPlace, quarters, quartersOf, recipe, type Place } from './fixtures/visits.ts'

/** What each turn does to red, green, blue and white quarters, clockwise from the top left. */
const turns = [
  [{}, 'rgbw', 320, 240],
  [{ irot: 1 }, 'gbwr', 240, 320],
  [{ irot: 2 }, 'bwrg', 320, 240],
  [{ irot: 3 }, 'wrgb', 240, 320],
  [{ imir: 0 }, 'wbgr', 320, 240],
  [{ imir: 1 }, 'grwb', 320, 240],
  [{ irot: 1, imir: 0 }, 'rwbg', 240, 320],
  [{ irot: 1, imir: 1 }, 'bgrw', 240, 320],
] as const

/** An Exif block that says to turn the picture, as phones write it beside the turn itself. */
const exifTurn = (orientation: number): Buffer => {
  const exif = Buffer.alloc(26)
  exif.write('II*\0', 0, 'latin1')
  exif.writeUInt32LE(8, 4)
  exif.writeUInt16LE(1, 8)
  exif.writeUInt16LE(0x112, 10)
  exif.writeUInt16LE(3, 12)
  exif.writeUInt32LE(1, 14)
  exif.writeUInt16LE(orientation, 18)
  return exif
}

describe('HEIC and AVIF pictures, as phones write them', () => {
  let place: Place
  let png: Buffer
  let heic: Coded
  let blue: Coded
  before(async () => {
    place = await openPlace()
    png = await quarters(320, 240)
    heic = codedOf(encodeHeic(png))
    const plain = sharp({ create: { width: 128, height: 64, channels: 3, background: '#2020d0' } })
    blue = codedOf(encodeHeic(await plain.png().toBuffer()))
  })
  after(() => place.close())

  const look = async (bytes: Buffer, filename = 'me.heic') => {
    const verdict = await place.visit(bytes, filename, {
      allowMime: ['image/heic', 'image/avif'],
      recipes: { thumb: recipe({ width: 64, format: 'png' }), whole: recipe({ format: 'png' }) },
    })
    if (verdict.verdict !== 'pass') return { code: verdict.code, message: verdict.message }
    const paths = verdict.variants.map((one) => (one.ok ? one.path : ''))
    return { facts: verdict.facts, quarters: await Promise.all(paths.map(quartersOf)), path: paths[1] ?? '' }
  }
  const shown = async (bytes: Buffer, filename?: string) => {
    const { facts, quarters: seen, code } = await look(bytes, filename)
    return code ?? [...new Set(seen), facts?.width, facts?.height, facts?.frames].join(' ')
  }

  it('are opened, and said to be what they are', async () => {
    const { facts } = await look(encodeHeic(png))
    assert.ok(facts)
    const { kind, contentType, extension, width, height, frames, hasAlpha } = facts
    assert.deepEqual(
      { kind, contentType, extension, width, height, frames, hasAlpha },
      { kind: 'image', contentType: 'image/heic', extension: 'heic', width: 320, height: 240, frames: 1, hasAlpha: false },
    )
    assert.ok(facts.placeholder && facts.dominantColor)
  })

  it('stand upright as the file itself says, with width and height as displayed', async () => {
    const avif = codedOf(encodeAvif(png))
    for (const [turn, upright, width, height] of turns) {
      const expected = `${upright} ${width} ${height} 1`
      assert.equal(await shown(heifFile([{ tiles: [heic], ...turn }])), expected, `HEIC ${JSON.stringify(turn)}`)
      assert.equal(
        await shown(heifFile([{ tiles: [avif], ...turn }], { brand: 'avif' }), 'me.avif'),
        expected,
        `AVIF ${JSON.stringify(turn)}`,
      )
    }
  })

  it('are not turned a second time by the Exif that repeats the turn, nor by one that stands alone, as browsers do', async () => {
    const avif = codedOf(encodeAvif(png))
    for (const exif of [exifTurn(6), exifTurn(3), exifTurn(2)]) {
      assert.equal(await shown(heifFile([{ tiles: [heic], irot: 3, exif }])), 'wrgb 240 320 1')
      assert.equal(await shown(heifFile([{ tiles: [heic], exif }])), 'rgbw 320 240 1')
      assert.equal(await shown(heifFile([{ tiles: [avif], irot: 3, exif }], { brand: 'avif' }), 'me.avif'), 'wrgb 240 320 1')
      assert.equal(await shown(heifFile([{ tiles: [avif], exif }], { brand: 'avif' }), 'me.avif'), 'rgbw 320 240 1')
    }
  })

  it('may be put together of tiles, cut at the edge and turned', async () => {
    const tile = async (left: number, top: number) =>
      codedOf(encodeHeic(await sharp(png).extract({ left, top, width: 160, height: 120 }).png().toBuffer()))
    const tiles = [await tile(0, 0), await tile(160, 0), await tile(0, 120), await tile(160, 120)] as const
    assert.equal(await shown(heifFile([{ tiles, columns: 2 }])), 'rgbw 320 240 1')
    assert.equal(await shown(heifFile([{ tiles, columns: 2, width: 300, height: 200, irot: 3 }])), 'wrgb 200 300 1')
  })

  it('show the one that the file shows, whatever else is in it', async () => {
    assert.equal(await shown(heifFile([{ tiles: [blue] }, { tiles: [heic] }], { primary: 1 })), 'rgbw 320 240 1')
    const [one, two] = [codedOf(encodeAvif(png)), codedOf(encodeAvif(await sharp(png).resize(64).negate().png().toBuffer()))]
    assert.equal(await shown(heifFile([{ tiles: [two] }, { tiles: [one] }], { primary: 1, brand: 'avif' }), 'me.avif'), 'rgbw 320 240 1')
    const auxiliary = { coded: blue, urn: 'urn:mpeg:hevc:2015:auxid:2' }
    assert.equal(await shown(heifFile([{ tiles: [heic], auxiliary }])), 'rgbw 320 240 1')
  })

  it('keep what is transparent', async () => {
    const clear = await sharp(png).ensureAlpha(0.25).png().toBuffer()
    const { facts, path } = await look(encodeHeic(clear))
    assert.equal(facts?.hasAlpha, true)
    const { channels } = await sharp(path).stats()
    assert.ok(Math.abs((channels[3]?.mean ?? 0) - 64) < 4, `alpha ${channels[3]?.mean}`)
  })

  it('have their colours brought to sRGB from where their profile says that they lie', async () => {
    const colour = { r: 0x3f, g: 0x7f, b: 0x5f }
    const p3 = await sharp({ create: { width: 64, height: 64, channels: 3, background: colour } })
      .withIccProfile('p3')
      .png()
      .toBuffer()
    const { data: stored } = await sharp(p3, { ignoreIcc: true }).raw().toBuffer({ resolveWithObject: true })
    assert.ok(Math.abs((stored[0] ?? 0) - colour.r) > 8, 'the numbers in the file are others')
    for (const [file, name] of [
      [encodeHeic(p3, ['-q', '95']), 'a.heic'],
      [encodeAvif(p3, ['--min', '0', '--max', '5']), 'a.avif'],
    ] as const) {
      const { path } = await look(file, name)
      const [r, g, b] = await sharp(path).raw().toBuffer()
      const off = Math.max(Math.abs((r ?? 0) - colour.r), Math.abs((g ?? 0) - colour.g), Math.abs((b ?? 0) - colour.b))
      assert.ok(off <= 4, `${name}: ${r},${g},${b}`)
      assert.equal((await sharp(path).metadata()).icc, undefined)
    }
  })

  it('are refused in words when they are cut, hold no picture, or are larger than is taken', async () => {
    const whole = encodeHeic(png)
    assert.equal((await look(whole.subarray(0, whole.length - 200))).code, 'decode_failed')
    assert.equal((await look(whole.subarray(0, 300))).code, 'decode_failed')
    const moving = Buffer.from(whole)
    moving.write('msf1', 8)
    moving.write('free', whole.indexOf('meta'))
    assert.equal((await look(moving)).code, 'decode_failed')
    const verdict = await place.visit(whole, 'a.heic', { allowMime: ['image/heic'], limits: { ...limits, maxPixels: 320 * 240 - 1 } })
    assert.equal(verdict.verdict === 'refuse' && verdict.code, 'max_pixels_exceeded')
    assert.equal((await look(whole, 'a.jpg')).code, 'extension_mime_mismatch')
  })

  it('leave nothing in the folder but their variants', async () => {
    const { path } = await look(encodeHeic(png))
    const names = await readdir(new URL('.', `file://${path}`))
    assert.deepEqual(names.toSorted(), ['0.png', '1.png'])
  })
})
