import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { after, before, describe, it } from 'node:test'
import sharp, { type Sharp } from 'sharp'
import { corpus, limits, openPlace, quarters, quartersOf, recipe, type Place } from './fixtures/visits.ts'

describe('the variants of an image', () => {
  let place: Place
  before(async () => {
    place = await openPlace()
  })
  after(() => place.close())

  const pixelAt = async (path: string, x = 0, y = 0): Promise<number[]> => {
    const { data, info } = await sharp(path).raw().toBuffer({ resolveWithObject: true })
    const start = (y * info.width + x) * info.channels
    return [...data.subarray(start, start + info.channels)]
  }

  it('stand upright whatever the EXIF orientation says, with width and height as displayed', async () => {
    const upright = await quarters(240, 160)
    const undo = {
      1: [0, false],
      2: [0, true],
      3: [180, false],
      4: [180, true],
      5: [270, true],
      6: [270, false],
      7: [90, true],
      8: [90, false],
    } as const
    for (const [orientation, [angle, flop]] of Object.entries(undo)) {
      const turned = await sharp(await sharp(upright).flop(flop).toBuffer())
        .rotate(angle)
        .toBuffer()
      const jpeg = await sharp(turned)
        .withMetadata({ orientation: Number(orientation) })
        .jpeg({ quality: 95 })
        .toBuffer()
      const stored = await sharp(jpeg).metadata()
      assert.equal(stored.orientation ?? 1, Number(orientation))
      const { facts, made } = await place.passing(jpeg, 'me.jpg', {
        small: recipe({ width: 60 }),
        cut: recipe({ mode: 'crop', width: 40, height: 40 }),
      })
      const halved = await place.passing(jpeg, 'me.jpg', { large: recipe({ width: 84 }) })
      assert.deepEqual([halved.made['large']?.width, halved.made['large']?.height], [84, 56], orientation)
      assert.equal(await quartersOf(halved.made['large']!.path), 'rgbw', `orientation ${orientation}, halved while it is loaded`)
      assert.deepEqual([facts.width, facts.height], [240, 160], orientation)
      assert.deepEqual([made['small']?.width, made['small']?.height], [60, 40], orientation)
      assert.equal(await quartersOf(made['small']!.path), 'rgbw', `orientation ${orientation}`)
      assert.equal(await quartersOf(made['cut']!.path), 'rgbw', `orientation ${orientation}, crop`)
    }
  })

  it('of a photo as a phone wrote it come out portrait or landscape as it was held', async () => {
    for (const [name, width, height] of [
      ['Landscape_6', 1800, 1200],
      ['Portrait_8', 1200, 1800],
    ] as const) {
      const { facts, made } = await place.passing(await corpus(`orientation/${name}.jpg`), 'me.jpg', {
        thumb: recipe({ width: 150, height: 150 }),
      })
      assert.deepEqual([facts.width, facts.height], [width, height])
      assert.deepEqual([made['thumb']?.width, made['thumb']?.height], width > height ? [150, 100] : [100, 150])
    }
  })

  it('keep no metadata: no EXIF, no place, no profile, no orientation', async () => {
    const source = await sharp(await quarters(64, 64))
      .withExif({ IFD0: { Artist: 'Ada' }, IFD3: { GPSLatitudeRef: 'N', GPSLatitude: '51/1 30/1 3230/100' } })
      .withIccProfile('p3')
      .jpeg()
      .toBuffer()
    assert.ok((await sharp(source).metadata()).exif)
    const formats = ['jpeg', 'png', 'webp', 'avif'] as const
    const { made } = await place.passing(
      source,
      'me.jpg',
      Object.fromEntries(formats.map((format) => [format, recipe({ width: 32, format })])),
    )
    for (const format of formats) {
      const found = await sharp(made[format]!.path).metadata()
      assert.deepEqual([found.exif, found.icc, found.xmp, found.orientation], [undefined, undefined, undefined, undefined], format)
      assert.equal(found.format, format === 'avif' ? 'heif' : format)
    }
  })

  it('carry the sizes, lengths and hashes of what was written', async () => {
    const { made } = await place.passing(await quarters(300, 200), 'a.png', {
      a: recipe({ width: 100, format: 'webp' }),
      b: recipe({ height: 50, format: 'jpeg' }),
    })
    for (const one of Object.values(made)) {
      const bytes = await readFile(one.path)
      const { width, height } = await sharp(bytes).metadata()
      assert.deepEqual([one.width, one.height], [width, height])
      assert.equal(one.byteSize, (await stat(one.path)).size)
      assert.equal(one.sha256, createHash('sha256').update(bytes).digest('hex'))
    }
  })

  it('never enlarge by fit and crop; fill is exactly as large as asked', async () => {
    const { made } = await place.passing(await quarters(60, 40), 'a.png', {
      fit: recipe({ width: 500, height: 500 }),
      crop: recipe({ mode: 'crop', width: 500, height: 500 }),
      fill: recipe({ mode: 'fill', width: 500, height: 400 }),
    })
    assert.deepEqual(
      ['fit', 'crop', 'fill'].map((name) => `${made[name]?.width}x${made[name]?.height}`),
      ['60x40', '40x40', '500x400'],
    )
    assert.equal(await quartersOf(made['fill']!.path), 'rgbw')
  })

  it('are cut around the focal point', async () => {
    const at = (x: number, y: number, mode: 'crop' | 'fill' = 'crop') =>
      recipe({ mode, width: 50, height: 50, focal: { x, y }, format: 'png' })
    const { made } = await place.passing(await quarters(400, 100), 'a.png', {
      left: at(0, 0.5),
      right: at(1, 0.5),
      middle: at(0.5, 0.5),
      fill: at(0, 0, 'fill'),
    })
    assert.equal(await quartersOf(made['left']!.path), 'rrww')
    assert.equal(await quartersOf(made['right']!.path), 'ggbb')
    assert.equal(await quartersOf(made['middle']!.path), 'rgbw')
    assert.equal(await quartersOf(made['fill']!.path), 'rgbw')
  })

  it('of a sliver never lose their one pixel', async () => {
    const sliver = await sharp({ create: { width: 1, height: 3000, channels: 3, background: '#c03020' } })
      .png()
      .toBuffer()
    const { facts, made } = await place.passing(sliver, 'a.png', {
      thumb: recipe({ width: 128, height: 128 }),
      cut: recipe({ mode: 'crop', width: 90, height: 3 }),
    })
    assert.deepEqual([facts.width, facts.height], [1, 3000])
    assert.deepEqual([made['thumb']?.width, made['thumb']?.height, made['cut']?.width, made['cut']?.height], [1, 128, 1, 1])
  })

  it('of a transparent picture are webp by themselves, and jpeg on white or on the background that was asked for', async () => {
    const clear = await sharp({ create: { width: 80, height: 60, channels: 4, background: { r: 255, g: 0, b: 0, alpha: 0 } } })
      .png()
      .toBuffer()
    const { facts, made } = await place.passing(clear, 'a.png', {
      auto: recipe({ width: 40 }),
      white: recipe({ width: 40, format: 'jpeg' }),
      teal: recipe({ width: 40, format: 'jpeg', background: '#008080' }),
    })
    assert.equal(facts.hasAlpha, true)
    assert.equal(made['auto']?.contentType, 'image/webp')
    assert.equal((await pixelAt(made['auto']!.path))[3], 0)
    assert.deepEqual(await pixelAt(made['white']!.path), [255, 255, 255])
    assert.deepEqual(
      (await pixelAt(made['teal']!.path)).map((channel) => Math.round(channel / 16)),
      [0, 8, 8],
    )
    const opaque = await place.passing(await quarters(80, 60), 'a.png', { auto: recipe({ width: 40 }) })
    assert.equal(opaque.made['auto']?.contentType, 'image/jpeg')
  })

  it('of CMYK, 16-bit, grey and wide-gamut sources are 8-bit sRGB', async () => {
    const base = sharp(await quarters(120, 80))
    const deep = await base.clone().toColourspace('rgb16').png().toBuffer()
    assert.equal((await sharp(deep).metadata()).depth, 'ushort')
    const sources = [
      ['cmyk.jpg', await base.clone().toColourspace('cmyk').jpeg({ quality: 95 }).toBuffer()],
      ['deep.png', deep],
      ['p3.jpg', await base.clone().withIccProfile('p3').jpeg({ quality: 95 }).toBuffer()],
      ['deep.tif', await base.clone().toColourspace('rgb16').tiff().toBuffer()],
    ] as const
    assert.equal((await sharp(sources[0][1]).metadata()).space, 'cmyk')
    for (const [name, bytes] of sources)
      for (const format of ['jpeg', 'png', 'webp'] as const) {
        const { made } = await place.passing(bytes, name, { one: recipe({ width: 60, format }) })
        const { space, depth, channels } = await sharp(made['one']!.path).metadata()
        assert.deepEqual([space, depth, channels], ['srgb', 'uchar', 3], `${name} to ${format}`)
        assert.equal(await quartersOf(made['one']!.path), 'rgbw', `${name} to ${format}`)
      }
    const grey = await sharp({ create: { width: 50, height: 50, channels: 3, background: '#808080' } })
      .toColourspace('b-w')
      .png()
      .toBuffer()
    const { made } = await place.passing(grey, 'grey.png', { one: recipe({ width: 20, format: 'webp' }) })
    assert.deepEqual(
      (await pixelAt(made['one']!.path)).map((channel) => Math.round(channel / 8)),
      [16, 16, 16],
    )
  })

  it('keep a colour the same when its profile says that it lies elsewhere', async () => {
    const p3 = await sharp({ create: { width: 40, height: 40, channels: 3, background: '#3f7f5f' } })
      .withIccProfile('p3')
      .png()
      .toBuffer()
    const [r = 0, g = 0, b = 0] = await pixelAt(
      (await place.passing(p3, 'a.png', { one: recipe({ width: 20, format: 'png' }) })).made['one']!.path,
    )
    assert.ok(Math.abs(r - 0x3f) < 4 && Math.abs(g - 0x7f) < 4 && Math.abs(b - 0x5f) < 4, `${r},${g},${b}`)
  })

  it('keep it in every format, from profiles of wide gamut, CMYK and 16 bits, and grey with what is transparent', async () => {
    const colours = ['#3f7f5f', '#c83232', '#3250c8', '#e0c040']
    const plain = (background: string) => sharp({ create: { width: 32, height: 32, channels: 3, background } })
    const write = {
      'p3.jpg': (one: Sharp) => one.withIccProfile('p3').jpeg({ quality: 100, chromaSubsampling: '4:4:4' }),
      'p3.png': (one: Sharp) => one.withIccProfile('p3').png(),
      'p3.webp': (one: Sharp) => one.withIccProfile('p3').webp({ lossless: true }),
      'p3.avif': (one: Sharp) => one.withIccProfile('p3').avif({ quality: 100, chromaSubsampling: '4:4:4', effort: 0 }),
      'p3.tif': (one: Sharp) => one.withIccProfile('p3').tiff({ compression: 'lzw' }),
      'deep.png': (one: Sharp) => one.toColourspace('rgb16').png(),
      'cmyk.jpg': (one: Sharp) => one.toColourspace('cmyk').withIccProfile('cmyk').jpeg({ quality: 100, chromaSubsampling: '4:4:4' }),
    }
    for (const colour of colours)
      for (const [name, encode] of Object.entries(write)) {
        // The press has few of the colours of a screen.
        if (name === 'cmyk.jpg' && colour !== '#3f7f5f') continue
        const expected = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16))
        const { made } = await place.passing(await encode(plain(colour)).toBuffer(), name, { one: recipe({ width: 16, format: 'png' }) })
        const found = await pixelAt(made['one']!.path, 8, 8)
        const off = Math.max(...expected.map((value, at) => Math.abs(value - (found[at] ?? 0))))
        assert.ok(off <= (name === 'cmyk.jpg' ? 16 : 4), `${colour} of ${name} came out as ${found.join()}`)
      }
    const grey = sharp(
      Buffer.from({ length: 2 * 32 * 32 }).map((_, at) => (at % 2 ? 128 : 90)),
      { raw: { width: 32, height: 32, channels: 2 } },
    )
    const { facts, made } = await place.passing(await grey.png().toBuffer(), 'grey.png', { one: recipe({ width: 16, format: 'png' }) })
    assert.equal(facts.hasAlpha, true)
    const { data } = await sharp(made['one']!.path).toColourspace('srgb').ensureAlpha().raw().toBuffer({ resolveWithObject: true })
    const [r = 0, g = 0, b = 0, alpha = 0] = data
    assert.ok(r === g && g === b && Math.abs(r - 90) <= 1 && Math.abs(alpha - 128) <= 1, [...data.subarray(0, 4)].join())
  })

  it('show the first frame of an animation, and all of them when asked', async () => {
    const frame = (background: string) =>
      sharp({ create: { width: 40, height: 30, channels: 3, background } })
        .png()
        .toBuffer()
    const frames = await Promise.all(['#e01010', '#10e010', '#1010e0'].map(frame))
    const gif = await sharp(frames, { join: { animated: true } })
      .gif({ delay: [70, 80, 90], loop: 3 })
      .toBuffer()
    const { facts, made } = await place.passing(gif, 'a.gif', {
      still: recipe({ width: 20, format: 'webp' }),
      moving: recipe({ width: 20, format: 'webp', animated: true }),
      auto: recipe({ width: 20, animated: true }),
      cut: recipe({ mode: 'crop', width: 10, height: 10, animated: true, format: 'webp' }),
      avif: recipe({ width: 20, format: 'avif', animated: true }),
      png: recipe({ width: 20, format: 'png', animated: true }),
    })
    assert.deepEqual([facts.width, facts.height, facts.frames], [40, 30, 3])
    const found = async (name: string) => sharp(made[name]!.path, { animated: true }).metadata()
    assert.equal((await found('still')).pages ?? 1, 1)
    assert.equal(await quartersOf(made['still']!.path), 'rrrr')
    for (const [name, height] of [
      ['moving', 15],
      ['auto', 15],
      ['cut', 10],
    ] as const) {
      const { pages, delay, loop, pageHeight, format } = await found(name)
      assert.deepEqual([format, pages, delay, loop, pageHeight], ['webp', 3, [70, 80, 90], 3, height], name)
      assert.equal(made[name]?.height, height)
    }
    for (const name of ['avif', 'png']) {
      assert.deepEqual([(await found(name)).height, made[name]?.height], [15, 15], `${name} is one frame`)
    }
  })

  it('come in every format asked for, smaller with less quality', async () => {
    const photo = await corpus('orientation/Landscape_6.jpg')
    const { made } = await place.passing(photo, 'a.jpg', {
      fine: recipe({ width: 400, format: 'webp', quality: 90 }),
      rough: recipe({ width: 400, format: 'webp', quality: 30 }),
      avif: recipe({ width: 400, format: 'avif', effort: 2 }),
    })
    assert.ok(made['rough']!.byteSize < made['fine']!.byteSize / 2)
    assert.deepEqual([made['avif']?.contentType, made['avif']?.extension], ['image/avif', 'avif'])
    assert.equal((await sharp(made['avif']!.path).metadata()).compression, 'av1')
  })

  it('that cannot be encoded say so, and the others are made', async () => {
    const wide = await sharp({ create: { width: 16_383, height: 2, channels: 3, background: '#102030' } })
      .png()
      .toBuffer()
    const verdict = await place.visit(wide, 'a.png', {
      recipes: { big: recipe({ mode: 'fill', width: 70_000, height: 2, format: 'webp' }), thumb: recipe({ width: 64 }) },
    })
    assert.equal(verdict.verdict, 'pass')
    assert.deepEqual(verdict.verdict === 'pass' && verdict.variants.map((one) => [one.name, one.ok]), [
      ['big', false],
      ['thumb', true],
    ])
    const big = verdict.verdict === 'pass' && verdict.variants[0]
    assert.ok(big && !big.ok && big.code === 'variant_failed' && big.message.includes('big'))
  })

  it('are made again without asking the gate, from a file that is already served', async () => {
    const verdict = await place.visit(await quarters(90, 60), 'whatever', {
      purpose: 'build',
      allowMime: [],
      limits: { ...limits, maxPixels: 1, maxSidePixels: 1, maxFrames: 1 },
      recipes: { thumb: recipe({ width: 30 }) },
    })
    assert.equal(verdict.verdict === 'pass' && verdict.variants[0]?.ok, true)
  })

  it('come with a placeholder and the colour that covers most', async () => {
    const pixels = await sharp({ create: { width: 300, height: 200, channels: 3, background: '#2060a0' } })
      .composite([{ input: { create: { width: 60, height: 60, channels: 3, background: '#f0f000' } }, left: 10, top: 10 }])
      .png()
      .toBuffer()
    const { facts } = await place.passing(pixels, 'a.png', {})
    assert.equal(facts.dominantColor, '#2060a0')
    assert.match(facts.placeholder ?? '', /^[A-Za-z0-9+/]{20,40}={0,2}$/)
  })
})
