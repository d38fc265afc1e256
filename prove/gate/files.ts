import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { eicar } from '../../test/services/clamd.ts'
import { containers } from '../bombs/containers.ts'
import type { Family } from '../bombs/bomb.ts'
import { gifCanvas } from '../bombs/gif.ts'
import { avifShapes, heicShapes } from '../bombs/heif.ts'
import { jpegFrames, metadata } from '../bombs/jpeg.ts'
import { pngCanvas, pngText } from '../bombs/png.ts'
import { svgDrawings } from '../bombs/svg.ts'
import { tiffDirectories, tiffStrips } from '../bombs/tiff.ts'
import { webpCanvas } from '../bombs/webp.ts'
import { corpusFiles } from '../files/corpus.ts'
import { oddFilmsIn } from '../files/films.ts'
import { goodPictures, photos } from '../files/good.ts'
import type { Made } from '../files/picture.ts'
import { heics, recordingsIn } from '../files/tools.ts'
import type { ProofContext, Random } from '../harness.ts'

/** What is sent by every way in. */
export interface Sent {
  readonly label: string
  readonly profile: 'photo' | 'film' | 'paper'
  readonly filename: string
  /** What the client says it is; by default nothing, and the name tells. */
  readonly contentType?: string
  /** What has to become of it, by code; `accepted` for what is served. One of several where chance decides how much of it is left. */
  readonly expected: readonly string[]
  /** What its row says, by column. */
  readonly tells?: Readonly<Record<string, string | number | boolean | null>>
  bytes(): Promise<Uint8Array>
}

const sent = (label: string, profile: Sent['profile'], filename: string, bytes: () => Promise<Uint8Array> | Uint8Array): Sent => ({
  ...{ label, profile, filename, expected: ['accepted'] },
  bytes: async () => bytes(),
})
const expecting =
  (...expected: readonly string[]) =>
  (file: Sent): Sent => ({ ...file, expected })
/** Pictures and recordings have a profile each, and the name says which a client would send a file to. */
const media = (label: string, filename: string, bytes: () => Promise<Uint8Array> | Uint8Array): Sent =>
  sent(label, /\.(?:mp4|mov|webm|mp3|m4a|ogg|flac|wav)$/.test(filename) ? 'film' : 'photo', filename, bytes)
const text = (words: string): Uint8Array => Buffer.from(words)
const pdf = text('%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n')
const zip = Buffer.concat([text('PK\x05\x06'), new Uint8Array(18)])
const page = text('<!doctype html><script>alert(document.domain)</script>')
const drawing = text('<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>')
const program = Buffer.concat([text('\x7fELF\x02\x01\x01'), new Uint8Array(200)])
const playlist = text('#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n')

/** So many of each kind, drawn from the seed, in an order that has all kinds early. */
export const filesFor = (context: ProofContext): Sent[] => {
  const { random, folder, corpus, amount } = context
  const tools = join(folder, 'tools')
  const pictures = random.fork('pictures').shuffle(goodPictures())
  const kinds: readonly (readonly Sent[])[] = [
    [...pictures.slice(0, 70), ...heics(tools).slice(0, 4), ...recordingsIn(tools)].map(asPhoto),
    papers(),
    random
      .fork('films')
      .shuffle(oddFilmsIn(tools))
      .map(({ label, filename, expected, tells, bytes }) => ({ ...expecting(expected)(media(label, filename, bytes)), tells })),
    random.fork('photos').shuffle(photos()).slice(0, 45).map(asPhoto),
    random.fork('names').shuffle(spoofed(pictures)),
    polyglots(pictures),
    truncated(random.fork('cuts'), pictures),
    bombs(random.fork('bombs')),
    infected(pictures),
    named(pictures),
    random
      .fork('malformed')
      .shuffle(corpusFiles(corpus))
      .slice(0, 60)
      .map(({ label, filename, path }) => media(label, filename, () => readFileSync(path)))
      .map(expecting('accepted', ...refusals)),
  ]
  const inTurn = kinds.flatMap((kind) => kind.map((file, index) => ({ file, place: index / kind.length })))
  return inTurn
    .sort((a, b) => a.place - b.place)
    .map(({ file }) => file)
    .slice(0, amount)
}

/** Nobody here made the files of the corpora, and who is right about one is another proof's: any verdict, but a verdict. */
const refusals: readonly string[] = [
  ...['decode_failed', 'decode_too_large', 'type_unknown', 'file_empty', 'mime_not_allowed', 'metadata_not_removable', 'codec_not_allowed'],
  ...['max_side_exceeded', 'max_pixels_exceeded', 'max_frames_exceeded', 'extension_mime_mismatch', 'extension_missing'],
  ...['upload_extension_not_allowed', 'upload_type_not_allowed', 'upload_size_invalid', 'scan_limit_exceeded'],
]

const asPhoto = ({ label, filename, bytes }: Made): Sent => media(label, filename, bytes)

const papers = (): Sent[] => [
  sent('a PDF', 'paper', 'report.pdf', () => pdf),
  sent('a ZIP', 'paper', 'all.zip', () => zip),
  sent('a text', 'paper', 'note.txt', () => text('São Paulo\n')),
  sent('a table', 'paper', 'list.csv', () => text('a;b\n1;2\n')),
  expecting('type_unknown')(sent('a text that is none', 'paper', 'note.txt', () => Buffer.from([0xc3, 0x28]))),
  expecting('mime_not_allowed')(sent('a page called text', 'paper', 'note.txt', () => page)),
  expecting('extension_mime_mismatch')(sent('a PDF called text', 'paper', 'note.txt', () => pdf)),
  expecting('mime_not_allowed')(sent('a program called PDF', 'paper', 'report.pdf', () => program)),
  sent('a byte', 'paper', 'note.txt', () => text('a')),
]

const extensions = ['jpg', 'png', 'webp', 'gif', 'avif', 'tif', 'heic', 'mp4']
const bogus = {
  mime_not_allowed: { page, drawing, program, pdf, zip },
  type_unknown: { playlist, blank: new Uint8Array(50), words: text('hello') },
}

/** Files of one type by the name of another, and what is no picture by the name of one. */
const spoofed = (pictures: readonly Made[]): Sent[] => [
  ...['jpg', 'png', 'webp', 'gif', 'avif', 'tif'].flatMap((really) => {
    const picture = pictures.find(({ filename }) => filename.endsWith(`.${really}`))
    if (!picture) return []
    return extensions
      .filter((extension) => extension !== really)
      .map((extension) => media(`${picture.label} called .${extension}`, `holiday.${extension}`, picture.bytes))
      .map((file) => expecting(file.profile === 'film' ? 'mime_not_allowed' : 'extension_mime_mismatch')(file))
  }),
  ...Object.entries(bogus).flatMap(([code, all]) =>
    Object.entries(all).flatMap(([what, bytes]) =>
      ['jpg', 'png', 'gif', 'mp4']
        .map((extension) => media(`${what} called .${extension}`, `holiday.${extension}`, () => bytes))
        .map(expecting(code)),
    ),
  ),
]

const joined = (...parts: readonly Uint8Array[]): Uint8Array => Buffer.concat(parts)

/** What stands behind a picture is zero in what is served; what stands between the parts of a TIFF is not looked at, and is served. */
const polyglots = (pictures: readonly Made[]): Sent[] =>
  ['jpg', 'png', 'webp', 'gif', 'avif', 'tif'].flatMap((extension) => {
    const picture = pictures.find(({ filename }) => filename.endsWith(`.${extension}`))
    if (!picture) return []
    const tails = { zip, page, pdf, drawing }
    return Object.entries(tails).map(([what, tail]) =>
      media(`${picture.label} that is ${what} as well`, `both.${extension}`, async () => joined(await picture.bytes(), tail)),
    )
  })

/** Of a few bytes nobody can tell what they were. */
const truncated = (random: Random, pictures: readonly Made[]): Sent[] =>
  pictures.slice(70, 110).map(({ label, filename, bytes }, index) => {
    const part = random.fork(index).next()
    const cut = media(`${label}, cut at ${Math.round(part * 100)} %`, filename, async () => {
      const whole = await bytes()
      return whole.subarray(0, 1 + Math.floor((whole.length - 1) * part))
    })
    return expecting('decode_failed', 'type_unknown')(cut)
  })

/** Too much to be scanned where clamd is there, and nothing to anybody else. */
const whereScanned = 'accepted or scan_limit_exceeded'
/** Those that are seen through in moments, and what has to be said of each: how long others may take is another proof's. */
const quick: readonly (readonly [family: Family, byCode: Readonly<Record<string, readonly number[]>>])[] = [
  [pngCanvas, { decode_failed: [0, 1, 2, 3, 4, 5, 6], max_side_exceeded: [7], max_pixels_exceeded: [8] }],
  [pngText, { accepted: [6], [whereScanned]: [9] }],
  [jpegFrames, { max_side_exceeded: [0], decode_failed: [3] }],
  [metadata, { accepted: [0, 1, 5], [whereScanned]: [7] }],
  [gifCanvas, { accepted: [0, 3], max_side_exceeded: [2] }],
  [webpCanvas, { max_side_exceeded: [2, 4], decode_failed: [3] }],
  [avifShapes, { decode_too_large: [0, 2], decode_failed: [10] }],
  [heicShapes, { decode_failed: [0, 10] }],
  [tiffStrips, { decode_failed: [0, 14] }],
  [tiffDirectories, { decode_failed: [4, 8] }],
  [svgDrawings, { upload_extension_not_allowed: [3] }],
  [containers, { decode_failed: [0, 2, 5, 11] }],
]

const bombs = (random: Random): Sent[] =>
  quick.flatMap(([{ name, bombs: all }, byCode]) =>
    Object.entries(byCode).flatMap(([code, which]) =>
      which.flatMap((index) => {
        const make = all[index]
        if (!make) return []
        const drawn = async () => make(random.fork(`${name} ${index}`))
        const extension = { avif: 'avif', heic: 'heic', svg: 'svg', containers: index === 11 ? 'wav' : 'mp4' }[name] ?? shortOf(name)
        return [expecting(...code.split(' or '))(media(`bomb ${name} ${index}`, `bomb.${extension}`, async () => (await drawn()).bytes))]
      }),
    ),
  )

const shortOf = (family: string): string => {
  const kind = family.split('-')[0] ?? ''
  return { jpeg: 'jpg', metadata: 'jpg', tiff: 'tif' }[kind] ?? kind
}

/** The test file of all scanners: by itself, in a text, behind and inside of pictures. */
const infected = (pictures: readonly Made[]): Sent[] => [
  expecting('malware_found')(sent('the test virus', 'paper', 'note.txt', () => text(eicar))),
  expecting('type_unknown')(media('the test virus as a picture', 'me.jpg', () => text(eicar))),
  expecting('malware_found')(sent('the test virus in a text', 'paper', 'note.txt', () => text(`Dear all,\n${eicar}\n`))),
  expecting('malware_found')(sent('the test virus behind a PDF', 'paper', 'report.pdf', () => joined(pdf, text(eicar)))),
  ...['jpg', 'png', 'gif', 'webp', 'tif', 'avif'].flatMap((extension) => {
    const picture = pictures.find(({ filename }) => filename.endsWith(`.${extension}`))
    if (!picture) return []
    const file = media(`${picture.label} with the test virus`, `me.${extension}`, async () => joined(await picture.bytes(), text(eicar)))
    // What stands behind other pictures is gone from what is served, and it is that which is scanned.
    return [extension === 'tif' ? expecting('malware_found')(file) : file]
  }),
]

const declarations = {
  accepted: ['image/png', 'image/jpg', 'image/jpeg; charset=x'],
  upload_type_not_allowed: ['text/html', 'application/octet-stream'],
}

/** Names and declarations that clients come up with. */
const named = (pictures: readonly Made[]): Sent[] => {
  const jpeg = pictures.find(({ filename }) => filename.endsWith('.jpg'))
  if (!jpeg) return []
  const names: readonly (string | readonly [name: string, code: string])[] = [
    'Sa\u0303o Paulo.jpg',
    'a\u202egpj.jpg',
    '../../etc/passwd.jpg',
    `${'é'.repeat(200)}.jpg`,
    'tab\tnew\nline.jpg',
    'CON.jpg',
    ['.jpg', 'extension_missing'],
    ['me', 'extension_missing'],
    ['me.exe', 'upload_extension_not_allowed'],
    'me.JPG',
    ['me.jpg.php', 'upload_extension_not_allowed'],
    ' me .jpg ',
  ]
  return [
    ...names
      .map((given) => (typeof given === 'string' ? ([given, 'accepted'] as const) : given))
      .map(([name, code]) => expecting(code)(media(`a photo called ${JSON.stringify(name)}`, name, jpeg.bytes))),
    ...Object.entries(declarations).flatMap(([code, all]) =>
      all.map((contentType) => ({ ...expecting(code)(media(`a photo said to be ${contentType}`, 'me.jpg', jpeg.bytes)), contentType })),
    ),
  ]
}
