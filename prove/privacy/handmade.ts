import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32, deflateSync } from 'node:zlib'
import { makeNested } from './nested.ts'
import { makeRecordings } from './recordings.ts'
import type { Source } from './sources.ts'
import type { Tagged } from './tagged-file.ts'
import { canary, iso6709 } from './taggings.ts'
import { ffmpeg } from './tools.ts'

const u16 = (value: number): Buffer => Buffer.from([value >> 8, value & 255])
const u32 = (value: number): Buffer => Buffer.from([value >>> 24, (value >> 16) & 255, (value >> 8) & 255, value & 255])
const segment = (marker: number, body: Buffer): Buffer => Buffer.concat([Buffer.from([0xff, marker]), u16(body.length + 2), body])
/** The picture with segments put in right behind its beginning. */
const withSegments = (jpeg: Buffer, ...segments: readonly Buffer[]): Buffer =>
  Buffer.concat([jpeg.subarray(0, 2), ...segments, jpeg.subarray(2)])

/** Multi-picture format: the list of two pictures, whose second stands behind the end of the first. */
const withSecondPicture = (first: Buffer, second: Buffer): Buffer => {
  const entry = (attribute: number, size: number, offset: number): Buffer => Buffer.concat([u32(attribute), u32(size), u32(offset), u32(0)])
  const field = (tag: number, type: number, count: number, value: Buffer): Buffer => Buffer.concat([u16(tag), u16(type), u32(count), value])
  const lengthOfIndex = 8 + 2 + 36 + 4 + 32
  const headerAt = 2 + 4 + 4
  const total = first.length + 4 + 4 + lengthOfIndex
  const index = Buffer.concat([
    Buffer.from('MPF\0MM\0*', 'latin1'),
    u32(8),
    u16(3),
    field(0xb000, 7, 4, Buffer.from('0100')),
    field(0xb001, 4, 1, u32(2)),
    field(0xb002, 7, 32, u32(8 + 2 + 36 + 4)),
    u32(0),
    entry(0x20030000, total, 0),
    entry(0, second.length, total - headerAt + 2 - 2),
  ])
  return Buffer.concat([withSegments(first, segment(0xe2, index)), second])
}

const samsungTrailer = (movie: Buffer): Buffer => {
  const block = (type: number, name: string, content: Buffer): Buffer =>
    Buffer.concat([Buffer.from([0, 0, type & 255, type >> 8]), le32(name.length), Buffer.from(name, 'latin1'), content])
  const le32 = (value: number): Buffer => u32(value).reverse()
  const blocks = [
    { type: 0x0a30, bytes: block(0x0a30, 'MotionPhoto_Data', movie) },
    { type: 0x0a01, bytes: block(0x0a01, 'Image_UTC_Data', Buffer.from('1767225600000')) },
    { type: 0x0a41, bytes: block(0x0a41, 'MCC_Data', Buffer.from(canary)) },
  ]
  const body = Buffer.concat(blocks.map(({ bytes }) => bytes))
  let at = 0
  const rows = blocks.map(({ type, bytes }) => {
    const row = Buffer.concat([Buffer.from([0, 0, type & 255, type >> 8]), le32(body.length - at), le32(bytes.length)])
    at += bytes.length
    return row
  })
  const directory = Buffer.concat([Buffer.from('SEFH'), le32(106), le32(blocks.length), ...rows])
  return Buffer.concat([body, directory, le32(directory.length), Buffer.from('SEFT')])
}

const chunk = (type: string, body: Buffer): Buffer => {
  const named = Buffer.concat([Buffer.from(type, 'latin1'), body])
  return Buffer.concat([u32(body.length), named, u32(crc32(named))])
}
/** Right behind the header of a PNG. */
const withChunk = (png: Buffer, type: string, body: Buffer): Buffer =>
  Buffer.concat([png.subarray(0, 33), chunk(type, body), png.subarray(33)])

const rawProfile = (kind: string, bytes: Buffer): Buffer => {
  const digits = bytes.toString('hex').replace(/.{72}/g, '$&\n')
  return Buffer.from(`\n${kind}\n${String(bytes.length).padStart(8)}\n${digits}\n`, 'latin1')
}
const keyword = (text: string): Buffer => Buffer.from(`${text}\0`, 'latin1')

/** The first segment of a JPEG whose content begins so. */
const segmentOf = (jpeg: Buffer, begins: string): Buffer => {
  const at = jpeg.indexOf(begins, 0, 'latin1')
  return jpeg.subarray(at, at - 2 + jpeg.readUInt16BE(at - 2))
}

type Recipe = readonly [source: string, tagging: string, needs: readonly string[], make: (one: Buffer, other: Buffer) => Buffer]

const exifOf = (tagged: Buffer): Buffer => segmentOf(tagged, 'Exif\0\0')
const xmpOf = (tagged: Buffer): Buffer => segmentOf(tagged, 'http://ns.adobe.com/xap/1.0/').subarray(29)
const compressed = (kind: string, bytes: Buffer): Buffer =>
  Buffer.concat([keyword(`Raw profile type ${kind}`), Buffer.from([0]), deflateSync(rawProfile(kind, bytes))])

/** Each of the parts that it needs; `tagged` is a JPEG with GPS, XMP and IPTC, `film` one with a place. */
const byHand: readonly Recipe[] = [
  ['jpeg', 'second-picture', ['jpeg', 'tagged'], withSecondPicture],
  ['jpeg', 'second-picture-both', ['tagged'], (tagged) => withSecondPicture(tagged, tagged)],
  ['jpeg', 'motion-photo', ['jpeg', 'film'], (jpeg, film) => Buffer.concat([jpeg, film])],
  ['jpeg', 'motion-photo-both', ['tagged', 'film'], (tagged, film) => Buffer.concat([tagged, film])],
  ['jpeg', 'samsung-motion-photo', ['tagged', 'film'], (tagged, film) => Buffer.concat([tagged, samsungTrailer(film)])],
  ['jpeg', 'trailer-text', ['tagged'], (tagged) => Buffer.concat([tagged, Buffer.from(`\0\0${canary} 48.1371, 11.5753`)])],
  [
    'jpeg',
    'unknown-segment',
    ['jpeg'],
    (jpeg) => withSegments(jpeg, segment(0xe6, Buffer.from(`GoPro\0GPS5${canary}`)), segment(0xe1, Buffer.from(`FLIR\0${canary}`))),
  ],
  ['jpeg', 'bare-xmp', ['jpeg', 'tagged'], (jpeg, tagged) => withSegments(jpeg, segment(0xe1, xmpOf(tagged)))],
  [
    'jpeg',
    'exif-twice',
    ['jpeg', 'tagged'],
    (jpeg, tagged) => withSegments(jpeg, segment(0xe1, exifOf(tagged)), segment(0xe1, exifOf(tagged))),
  ],
  [
    'jpeg',
    'exif-after-scan',
    ['jpeg', 'tagged'],
    (jpeg, tagged) => Buffer.concat([jpeg.subarray(0, -2), segment(0xe1, exifOf(tagged)), jpeg.subarray(-2)]),
  ],
  [
    'png',
    'raw-exif',
    ['png', 'tagged'],
    (png, tagged) => withChunk(png, 'tEXt', Buffer.concat([keyword('Raw profile type exif'), rawProfile('exif', exifOf(tagged))])),
  ],
  ['png', 'raw-app1', ['png', 'tagged'], (png, tagged) => withChunk(png, 'zTXt', compressed('APP1', exifOf(tagged)))],
  ['png', 'raw-xmp', ['png', 'tagged'], (png, tagged) => withChunk(png, 'zTXt', compressed('xmp', xmpOf(tagged)))],
  [
    'png',
    'raw-iptc',
    ['png', 'tagged'],
    (png, tagged) => withChunk(png, 'zTXt', compressed('iptc', segmentOf(tagged, 'Photoshop 3.0').subarray(14))),
  ],
  [
    'png',
    'text-of-imagemagick',
    ['png'],
    (png) =>
      withChunk(
        withChunk(png, 'tEXt', Buffer.concat([keyword('exif:GPSLatitude'), Buffer.from('48/1, 8/1, 138/10')])),
        'iTXt',
        Buffer.concat([keyword('Location'), Buffer.from([0, 0, 0, 0]), Buffer.from(canary)]),
      ),
  ],
  ['png-moving', 'exif', ['png-moving', 'tagged'], (png, tagged) => withChunk(png, 'eXIf', exifOf(tagged).subarray(6))],
  ['png-moving', 'raw-xmp', ['png-moving', 'tagged'], (png, tagged) => withChunk(png, 'zTXt', compressed('xmp', xmpOf(tagged)))],
  ['png', 'after-the-end', ['png'], (png) => Buffer.concat([png, Buffer.from(`Location: ${canary}`)])],
  [
    'gif',
    'unknown-application',
    ['gif'],
    (gif) =>
      Buffer.concat([
        gif.subarray(0, -1),
        Buffer.from('!\xff\x0bGPSBLOCK1.0', 'latin1'),
        Buffer.from([canary.length]),
        Buffer.from(canary),
        Buffer.from([0, 0x3b]),
      ]),
  ],
]

/** Films with a track of places: subtitles, and the same as a camera's own. */
const makeTracks = async (folder: string, film: Source): Promise<Tagged[]> => {
  const text = join(folder, 'places.srt')
  await writeFile(text, `1\n00:00:00,000 --> 00:00:00,900\nGPS (11.5753, 48.1371, 519) ${canary}\n`)
  const titles = join(folder, `handmade-titles.${film.extension}`)
  await ffmpeg([
    '-i',
    `file:${film.path}`,
    '-i',
    `file:${text}`,
    '-map',
    '0',
    '-map',
    '1',
    '-c',
    'copy',
    '-c:s',
    'mov_text',
    `file:${titles}`,
  ])
  const camera = join(folder, `handmade-camera.${film.extension}`)
  const bytes = await readFile(titles)
  const handler = /hdlr.{8}(?:sbtl|text)/s.exec(bytes.toString('latin1'))?.index ?? -1
  bytes.write('meta', handler + 12, 'latin1')
  bytes.write('camm', bytes.indexOf('stsd', handler, 'latin1') + 16, 'latin1')
  await writeFile(camera, bytes)
  return [
    { source: film, tagging: 'titles', path: titles },
    { source: film, tagging: 'camera-track', path: camera },
  ]
}

const nothing = Buffer.alloc(0)

/** @param tagged a JPEG with places in all forms */
export const makeByHand = async (folder: string, sources: readonly Source[], tagged: string): Promise<Tagged[]> => {
  const named = (name: string): Source | undefined => sources.find((one) => one.name === name)
  const parts: Record<string, Buffer> = { tagged: await readFile(tagged) }
  for (const name of ['jpeg', 'png', 'png-moving', 'gif', 'mp4']) {
    const source = named(name)
    if (source) parts[name] = await readFile(source.path)
  }
  const mp4 = named('mp4')
  if (mp4) {
    const film = join(folder, 'handmade-film.mp4')
    await ffmpeg([
      '-i',
      `file:${mp4.path}`,
      '-c',
      'copy',
      '-metadata',
      `location=${iso6709}`,
      '-movflags',
      'use_metadata_tags',
      `file:${film}`,
    ])
    parts['film'] = await readFile(film)
  }
  const made: Tagged[] = []
  for (const [of, tagging, needs, make] of byHand) {
    const source = named(of)
    if (!source || needs.some((need) => !parts[need])) continue
    const path = join(folder, `handmade-${of}-${tagging}.${source.extension}`)
    const [one = nothing, other = nothing] = needs.map((need) => parts[need])
    await writeFile(path, make(one, other))
    made.push({ source, tagging, path })
  }
  for (const name of ['mp4', 'mov']) {
    const film = named(name)
    if (film) made.push(...(await makeTracks(folder, film)))
  }
  const jpeg = parts['tagged'] ?? nothing
  made.push(...(await makeRecordings({ folder, tagged: jpeg, named })))
  const films = [
    ...(mp4 && parts['film'] ? [{ name: 'located', bytes: parts['film'], source: mp4 }] : []),
    ...(await Promise.all(
      made
        .filter(({ source, tagging }) => source.name === 'mp4' && (tagging === 'titles' || tagging === 'camera-track'))
        .map(async ({ source, tagging, path }) => ({ name: tagging, bytes: await readFile(path), source })),
    )),
  ]
  return [...made, ...(await makeNested({ folder, tagged: jpeg, films, named }))]
}
