import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { after, before, describe, it } from 'node:test'
import { crc32 } from 'node:zlib'
import sharp from 'sharp'
import { corpus, imageTypes, limits, openPlace, quarters, recipe, type Place } from './fixtures/visits.ts'

/** A PNG of a few pixels whose header announces others. */
const announcing = async (width: number, height: number): Promise<Buffer> => {
  const png = await quarters(8, 8)
  png.writeUInt32BE(width, 16)
  png.writeUInt32BE(height, 20)
  png.writeUInt32BE(crc32(png.subarray(12, 29)), 29)
  return png
}

describe('the gate', () => {
  let place: Place
  before(async () => {
    place = await openPlace()
  })
  after(() => place.close())

  const codeOf = async (...visit: Parameters<Place['visit']>): Promise<string> => {
    const verdict = await place.visit(...visit)
    if (verdict.verdict === 'pass') return 'pass'
    assert.ok(verdict.message.length > 10 && !verdict.message.includes('undefined'), verdict.message)
    return verdict.code
  }

  it('refuses a file that is not what its name says, and says what it is', async () => {
    const png = await quarters(20, 20)
    assert.equal(await codeOf(png, 'a.png'), 'pass')
    assert.equal(await codeOf(png, 'a.PNG'), 'pass')
    assert.equal(await codeOf(await sharp(png).jpeg().toBuffer(), 'a.jpe'), 'pass')
    assert.equal(await codeOf(png, 'a.jpg'), 'extension_mime_mismatch')
    assert.equal(await codeOf(png, 'a.exe'), 'extension_mime_mismatch')
    assert.equal(await codeOf(png, 'noextension'), 'extension_missing')
    assert.equal(await codeOf(png, 'a.png', { allowExtensions: ['.JPG', 'jpeg'] }), 'extension_not_allowed')
    assert.equal(await codeOf(png, 'a.png', { allowExtensions: ['.PNG'] }), 'pass')
    assert.equal(await codeOf(png, 'a.png', { allowMime: ['image/jpeg'] }), 'mime_not_allowed')
    const verdict = await place.visit(await corpus('smallest/pdf.pdf'), 'holiday.jpg')
    assert.deepEqual(verdict.verdict === 'refuse' && [verdict.code, verdict.details['mime']], ['mime_not_allowed', 'application/pdf'])
  })

  it('refuses what no image is, whatever it is called', async () => {
    for (const [file, code] of [
      ['svg.svg', 'mime_not_allowed'],
      ['html5.html', 'mime_not_allowed'],
      ['zip.zip', 'mime_not_allowed'],
      ['mp3.mp3', 'mime_not_allowed'],
      ['webm.webm', 'mime_not_allowed'],
      ['bmp.bmp', 'mime_not_allowed'],
      ['png-truncated.png', 'decode_failed'],
    ] as const)
      assert.equal(await codeOf(await corpus(`smallest/${file}`), 'a.png'), code, file)
    assert.equal(await codeOf('just words', 'a.jpg'), 'type_unknown')
    assert.equal(await codeOf(Buffer.alloc(5000), 'a.jpg'), 'type_unknown')
    assert.equal(await codeOf('', 'a.jpg'), 'file_empty')
  })

  it('never lets SVG through to a decoder, also when it is listed and hidden behind a prologue', async () => {
    const hidden = '\uFEFF<?xml version="1.0"?>\n<!-- a -->\n<!DOCTYPE svg [<!ENTITY a "b">]>\n<svg xmlns="http://www.w3.org/2000/svg"/>'
    const verdict = await place.visit(hidden, 'a.svg', { allowMime: ['image/svg+xml', ...imageTypes] })
    assert.deepEqual(verdict.verdict === 'refuse' && [verdict.code, verdict.details['mime']], ['mime_not_allowed', 'image/svg+xml'])
  })

  it('refuses by the header, before anything is decoded', async () => {
    const bomb = await announcing(12_000, 12_000)
    assert.ok(bomb.length < 1_000)
    const verdict = await place.visit(bomb, 'a.png')
    assert.deepEqual(verdict.verdict === 'refuse' && [verdict.code, verdict.details['pixels']], ['max_pixels_exceeded', 144_000_000])
    const started = performance.now()
    assert.equal(await codeOf(bomb, 'a.png', { limits: { ...limits, maxSidePixels: 10_000 } }), 'max_side_exceeded')
    assert.ok(performance.now() - started < 1_000, 'a header takes no time')
    const frames = await Promise.all(
      [1, 2, 3].map((step) =>
        sharp({ create: { width: 8, height: 8, channels: 3, background: { r: step * 60, g: 0, b: 0 } } })
          .png()
          .toBuffer(),
      ),
    )
    const gif = await sharp(frames, { join: { animated: true } })
      .gif()
      .toBuffer()
    assert.equal(await codeOf(gif, 'a.gif', { limits: { ...limits, maxFrames: 2 } }), 'max_frames_exceeded')
    assert.equal(await codeOf(gif, 'a.gif', { limits: { ...limits, maxFrames: 3 } }), 'pass')
  })

  it('counts sides and pixels of one frame, not of the whole animation', async () => {
    const frames = await Promise.all(
      Array.from({ length: 12 }, (_, step) =>
        sharp({ create: { width: 50, height: 50, channels: 3, background: { r: step * 20, g: 0, b: 0 } } })
          .png()
          .toBuffer(),
      ),
    )
    const gif = await sharp(frames, { join: { animated: true } })
      .gif()
      .toBuffer()
    assert.equal(await codeOf(gif, 'a.gif', { limits: { ...limits, maxPixels: 2_500, maxSidePixels: 50 } }), 'pass')
  })

  it('counts the pixels of all frames together too, so that many large ones do not keep a decoder busy', async () => {
    const { visit } = place
    const canvas = (side: number, frames: number): Buffer => {
      const screen = Buffer.from('GIF89a........\0\0\0\xff\xff\xff', 'latin1')
      for (const at of [6, 8]) screen.writeUInt16LE(side, at)
      screen.set([0x80, 0, 0], 10)
      screen.set([0, 0, 0, 255, 255, 255], 13)
      const dot = Buffer.from('2c0000000001000100000202440100', 'hex')
      return Buffer.concat([screen.subarray(0, 19), ...Array.from({ length: frames }, () => dot), Buffer.from(';')])
    }
    assert.equal(await codeOf(canvas(100, 300), 'a.gif'), 'pass')
    const started = performance.now()
    const verdict = await visit(canvas(2_000, 133), 'a.gif')
    assert.deepEqual(verdict.verdict === 'refuse' && [verdict.code, verdict.details['pixels']], ['max_pixels_exceeded', 532_000_000])
    assert.ok(performance.now() - started < 1_000)
  })

  it('refuses a WebP by its chunks, without asking its library, which takes the longer the more frames there are', async () => {
    const chunk = (name: string, body: Uint8Array): Buffer => {
      const head = Buffer.from(`${name}....`, 'latin1')
      head.writeUInt32LE(body.length, 4)
      return Buffer.concat([head, body])
    }
    const still = (
      await sharp({ create: { width: 16, height: 16, channels: 3, background: '#123' } })
        .webp()
        .toBuffer()
    ).subarray(12)
    const frame = chunk('ANMF', Buffer.concat([Buffer.from([0, 0, 0, 0, 0, 0, 15, 0, 0, 15, 0, 0, 10, 0, 0, 0]), still]))
    const parts = [chunk('VP8X', Buffer.from([2, 0, 0, 0, 15, 0, 0, 15, 0, 0])), chunk('ANIM', Buffer.alloc(6))]
    const moving = (frames: number): Buffer =>
      chunk('RIFF', Buffer.concat([Buffer.from('WEBP'), ...parts, ...Array.from({ length: frames }, () => frame)]))
    assert.equal(await codeOf(moving(300), 'a.webp'), 'pass')
    const started = performance.now()
    const verdict = await place.visit(moving(100_000), 'a.webp')
    assert.deepEqual(verdict.verdict === 'refuse' && [verdict.code, verdict.details['frames']], ['max_frames_exceeded', 100_000])
    assert.ok(performance.now() - started < 3_000)
  })

  it('refuses a file that ends too early, in any format and wherever it was cut, although a thumbnail of it could be drawn', async () => {
    const photo = sharp(await corpus('orientation/Landscape_6.jpg')).resize(900)
    const whole = [
      ['a.jpg', await photo.clone().jpeg().toBuffer()],
      ['a.jpg', await photo.clone().jpeg({ progressive: true }).toBuffer()],
      ['a.png', await photo.clone().png().toBuffer()],
      ['a.webp', await photo.clone().webp().toBuffer()],
      ['a.avif', await photo.clone().resize(200).avif({ effort: 1 }).toBuffer()],
      ['a.tif', await photo.clone().tiff({ compression: 'lzw' }).toBuffer()],
    ] as const
    for (const width of [64, 310, 900]) {
      const recipes = { thumb: recipe({ width }) }
      for (const [name, bytes] of whole) {
        assert.equal(await codeOf(bytes, name, { recipes }), 'pass', name)
        for (const part of [0.3, 0.7, 0.99])
          assert.equal(
            await codeOf(bytes.subarray(0, Math.floor(bytes.length * part)), name, { recipes }),
            'decode_failed',
            `${name} ${part} ${width}`,
          )
      }
    }
  })

  it('refuses an animation whose last frame is damaged', async () => {
    const noisy = (seed: number) =>
      sharp(
        Buffer.from({ length: 60 * 60 * 3 }).map((_, at) => (at * seed * 7919) % 251),
        { raw: { width: 60, height: 60, channels: 3 } },
      )
        .png()
        .toBuffer()
    const gif = await sharp(await Promise.all([3, 5, 7].map(noisy)), { join: { animated: true } })
      .gif()
      .toBuffer()
    assert.equal(await codeOf(gif, 'a.gif'), 'pass')
    assert.equal(await codeOf(gif.subarray(0, gif.length - 30), 'a.gif'), 'decode_failed')
  })

  it('has a verdict for every broken or odd file, and goes on with the next', async () => {
    const extensions = { jpeg: 'jpg', png: 'png', gif: 'gif', webp: 'webp', tiff: 'tif', bmp: 'bmp' } as const
    const codes = new Map<string, number>()
    for (const [format, extension] of Object.entries(extensions)) {
      const folder = new URL(`../corpus/malformed/${format}/`, import.meta.url)
      for (const name of await readdir(folder)) {
        const code = await codeOf(await corpus(`malformed/${format}/${name}`), `a.${extension}`, {
          recipes: { thumb: recipe({ width: 100 }) },
        })
        codes.set(code, (codes.get(code) ?? 0) + 1)
      }
    }
    const seen = [...codes.values()].reduce((sum, count) => sum + count, 0)
    assert.ok(seen >= 60 && (codes.get('decode_failed') ?? 0) >= 30 && (codes.get('pass') ?? 0) >= 3, JSON.stringify([...codes]))
    assert.equal(await codeOf(await quarters(30, 30), 'a.png'), 'pass')
  })
})

describe('the gate of a file profile', () => {
  let place: Place
  before(async () => {
    place = await openPlace()
  })
  after(() => place.close())

  const codeOf = async (bytes: Buffer | string, filename: string, allowMime: string[]): Promise<string> => {
    const verdict = await place.visit(bytes, filename, { profileKind: 'file', allowMime })
    if (verdict.verdict === 'refuse') return verdict.code
    assert.deepEqual([verdict.facts.kind, verdict.facts.width, verdict.facts.placeholder], ['file', null, null])
    return verdict.facts.contentType
  }

  it('recognises types by their bytes and decodes nothing', async () => {
    assert.equal(await codeOf(await corpus('smallest/pdf.pdf'), 'a.pdf', ['application/pdf']), 'application/pdf')
    assert.equal(await codeOf(await corpus('smallest/zip.zip'), 'a.zip', ['application/zip']), 'application/zip')
    assert.equal(await codeOf(await corpus('smallest/png-truncated.png'), 'a.png', ['image/png']), 'image/png')
    assert.equal(await codeOf(await corpus('smallest/pdf.pdf'), 'a.zip', ['application/pdf', 'application/zip']), 'extension_mime_mismatch')
    assert.equal(await codeOf(await corpus('smallest/pdf.pdf'), 'a.txt', ['text/plain']), 'mime_not_allowed')
  })

  it('takes listed text that is valid UTF-8 without NUL, however long, and no other', async () => {
    const allow = ['text/plain', 'text/csv', 'application/json']
    const row = '7;São Paulo;東京;🙂\n'
    assert.equal(await codeOf('bonjour', 'a.txt', allow), 'text/plain')
    assert.equal(await codeOf('BMI;weight\n20;60\n', 'a.csv', allow), 'text/csv')
    assert.equal(await codeOf(row.repeat(200_000), 'a.csv', allow), 'text/csv')
    assert.equal(await codeOf('{"a":1}', 'a.json', allow), 'application/json')
    assert.equal(await codeOf(Buffer.from(`${row.repeat(100_000)}\0`), 'a.csv', allow), 'type_unknown')
    assert.equal(await codeOf(Buffer.concat([Buffer.from(row.repeat(100_000)), Buffer.from([0xc3])]), 'a.csv', allow), 'type_unknown')
    assert.equal(await codeOf(Buffer.from('caf\xe9', 'latin1'), 'a.txt', allow), 'type_unknown')
    assert.equal(await codeOf('# words', 'a.md', allow), 'type_unknown')
    assert.equal(await codeOf('', 'a.txt', allow), 'file_empty')
  })

  it('does not take a page that runs for a text', async () => {
    const allow = ['text/plain', 'text/markdown', 'application/xml']
    for (const page of [
      '<!doctype html><script>alert(1)</script>',
      ' <html></html>',
      '<script>1</script>',
      '<svg xmlns="http://www.w3.org/2000/svg"></svg>',
    ])
      assert.equal(await codeOf(page, 'a.txt', allow), 'mime_not_allowed', page)
    assert.equal(await codeOf('<?xml version="1.0"?><svg/>', 'a.xml', allow), 'mime_not_allowed')
    assert.equal(await codeOf('<?xml version="1.0"?><note/>', 'a.xml', allow), 'application/xml')
    assert.equal(await codeOf('a < b\n<div>markdown</div>', 'a.md', allow), 'text/markdown')
    assert.equal(await codeOf('<!doctype html><p>', 'a.html', ['text/html']), 'text/html')
  })
})
