import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import { sniff } from './sniff.ts'

const { concat, from, alloc } = Buffer
const filler = 300_000
const le = (value: number, length: number): Buffer => {
  const bytes = alloc(length)
  bytes.writeUIntLE(value, 0, length)
  return bytes
}
const be = (value: number, length: number): Buffer => le(value, length).reverse()

/** A ZIP of stored entries, as far as those look who read it from its beginning. `lie` is added to the length that each header tells. */
const zip = (entries: readonly (readonly [name: string, content: Buffer | string])[], lie = 0): Buffer =>
  concat([
    ...entries.flatMap(([name, content]) => {
      const bytes = from(content)
      const size = le(bytes.byteLength + lie, 4)
      return [from('PK\x03\x04'), le(20, 2), alloc(8), le(0, 4), size, size, le(name.length, 2), le(0, 2), from(name), bytes]
    }),
    ...[from('PK\x05\x06'), alloc(18)],
  ])

const contentTypes = (main: string): string => `<Types><Override PartName="/word/document.xml" ContentType="${main}.main+xml"/></Types>`
const macroDocument = contentTypes('application/vnd.ms-word.document.macroEnabled')
const big = ['a/big.bin', alloc(filler, 7)] as const

const id3 = (length: number, told = length): Buffer =>
  concat([from('ID3\x03\0\0'), from([21, 14, 7, 0].map((shift) => (told >> shift) & 0x7f)), alloc(length)])
const mp3Frame = concat([from([0xff, 0xfb, 0x90, 0x00]), alloc(5_000)])
const tiff = (offset: number, tag: number): Buffer =>
  concat([from('II*\0'), le(offset, 4), alloc(offset - 8), le(1, 2), le(tag, 2), alloc(10), alloc(4)])
const chunk = (type: string, content: Buffer): Buffer => concat([be(content.byteLength, 4), from(type), content, alloc(4)])
const png = (...chunks: readonly Buffer[]): Buffer =>
  concat([from('89504e470d0a1a0a', 'hex'), chunk('IHDR', alloc(13, 1)), chunk('tEXt', alloc(filler, 65)), ...chunks, alloc(100)])
const element = (id: string, content: Buffer): Buffer =>
  concat([from(id, 'hex'), from([0x08]), be(content.byteLength, 5).subarray(1), content])
const ebml = (documentType: string): Buffer => {
  const inside = concat([element('ec', alloc(filler)), from('4282', 'hex'), from([0x80 | documentType.length]), from(documentType)])
  return concat([element('1a45dfa3', inside), alloc(100)])
}

const files: Readonly<Record<string, Buffer>> = {
  'a document whose types come last': zip([big, ['word/document.xml', 'x'], ['[Content_Types].xml', macroDocument]]),
  'a document whose types come first': zip([['[Content_Types].xml', macroDocument], big]),
  'a document without its types': zip([big, ['word/document.xml', 'x']]),
  'an app whose code comes late': zip([big, ['classes.dex', 'x']]),
  'a jar whose manifest comes late': zip([big, ['META-INF/MANIFEST.MF', 'x']]),
  slides: zip([
    ['Index/Document.iwa', alloc(filler)],
    ['Index/MasterSlide-1.iwa', 'x'],
  ]),
  'a zip of many': zip(Array.from({ length: 1_200 }, (_, index) => [`${index}.txt`, alloc(900, 65)])),
  'a zip that is cut off': zip([big, ['classes.dex', 'x']]).subarray(0, filler / 2),
  'a zip whose entries lie about their length': zip([big, ['classes.dex', 'x']], 1_000_000_000),
  'music behind a large picture': concat([id3(filler), mp3Frame]),
  'a FLAC behind a large picture': concat([id3(filler), from('fLaC'), alloc(5_000)]),
  'music whose tag is longer than it': concat([id3(5_000, 9_000_000), mp3Frame]),
  'a TIFF whose directory comes last': tiff(filler, 256),
  'a raw photo whose directory comes last': tiff(filler, 50_706),
  'a TIFF whose directory lies beyond its end': tiff(filler, 50_706).subarray(0, 200_000),
  'a PNG with a long text': png(chunk('IDAT', alloc(10))),
  'an animation with a long text': png(chunk('acTL', alloc(8)), chunk('IDAT', alloc(10))),
  'a PNG whose chunk is longer than it': png().subarray(0, 100_000),
  'a film behind a gap': ebml('webm'),
  'a disc': concat([alloc(32_769), from('CD001'), alloc(filler)]),
  'a packed archive': gzipSync(concat([from('a'.padEnd(257, '\0')), from('ustar\0'), randomBytes(filler)])),
  'something packed': gzipSync(randomBytes(filler)),
  noise: concat([from([1, 2, 3, 4]), randomBytes(filler)]),
  'nothing but zeros': alloc(filler),
  'a long text': from('ä line of text\n'.repeat(20_000)),
  'markup behind a long comment': from(`<!--${'x'.repeat(2_000)}--><svg>${' '.repeat(filler)}</svg>`),
}

describe('a file of which only the beginning lies here', () => {
  let folder: string
  before(() => (folder = mkdtempSync(join(tmpdir(), 'rindle-excerpt-'))))
  after(() => rmSync(folder, { recursive: true }))

  const both = async (bytes: Buffer) => {
    const [whole, head] = [join(folder, 'whole'), join(folder, 'head')]
    writeFileSync(whole, bytes)
    writeFileSync(head, bytes.subarray(0, 4_100))
    let asked = 0
    const read = async (start: number, end: number) => {
      asked += 1
      assert.ok(end > start && end <= bytes.byteLength && end - start <= 1024 * 1024, `${start} to ${end} was asked for`)
      return bytes.subarray(start, end)
    }
    return { expected: await sniff(whole), found: await sniff(head, { sizeBytes: bytes.byteLength, read }), asked }
  }

  for (const [what, bytes] of Object.entries(files))
    it(`is taken for what the whole is taken for: ${what}`, async () => {
      const { expected, found, asked } = await both(bytes)
      assert.deepEqual(found, expected)
      assert.ok(asked < 20, `${asked} times`)
    })

  const told: readonly (readonly [what: string, contentType: string])[] = [
    ['a document whose types come last', 'application/vnd.ms-word.document.macroenabled.12'],
    ['an app whose code comes late', 'application/vnd.android.package-archive'],
    ['a FLAC behind a large picture', 'audio/flac'],
    ['a raw photo whose directory comes last', 'image/x-adobe-dng'],
    ['a film behind a gap', 'video/webm'],
  ]
  for (const [what, contentType] of told)
    it(`is told by what comes late: ${what}`, async () => {
      const { found, asked } = await both(files[what] ?? alloc(0))
      assert.equal(found.contentType, contentType)
      assert.ok(asked > 0)
    })
})
