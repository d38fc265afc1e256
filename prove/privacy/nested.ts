import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Tagged } from './tagged-file.ts'
import type { Source } from './sources.ts'
import { canary } from './taggings.ts'
import { exiftool } from './tools.ts'

const be = (width: number, value: number): Buffer => {
  const field = Buffer.alloc(width)
  field.writeUIntBE(value, 0, width)
  return field
}
const box = (type: string, content: Buffer): Buffer => Buffer.concat([be(4, content.length + 8), Buffer.from(type, 'latin1'), content])

type Field = readonly [tag: number, type: number, values: Buffer, count: number]
const ascii = (tag: number, text: string): Field => [tag, 2, Buffer.from(`${text}\0`, 'latin1'), text.length + 1]
const short = (tag: number, value: number): Field => [tag, 3, Buffer.concat([be(2, value), be(2, 0)]), 1]
const long = (tag: number, value: number): Field => [tag, 4, be(4, value), 1]
const degrees = (tag: number, ...values: readonly number[]): Field => [
  tag,
  5,
  Buffer.concat(values.map((value) => Buffer.concat([be(4, value), be(4, 1)]))),
  values.length,
]

/** A directory as it stands at `start`, its longer values behind it. */
const directory = (start: number, fields: readonly Field[], next: number): Buffer => {
  let at = start + 2 + fields.length * 12 + 4
  const beyond: Buffer[] = []
  const rows = fields.map(([tag, type, values, count]) => {
    const isInline = values.length <= 4
    const held = isInline ? Buffer.concat([values, Buffer.alloc(4 - values.length)]) : be(4, at)
    if (!isInline) {
      const padded = Buffer.concat([values, Buffer.alloc(values.length % 2)])
      beyond.push(padded)
      at += padded.length
    }
    return Buffer.concat([be(2, tag), be(2, type), be(4, count), held])
  })
  return Buffer.concat([be(2, fields.length), ...rows, be(4, next), ...beyond])
}

const places: readonly Field[] = [
  ascii(1, 'N'),
  degrees(2, 48, 8, 13),
  ascii(3, 'E'),
  degrees(4, 11, 34, 31),
  [28, 7, Buffer.from(`ASCII\0\0\0${canary}`), 8 + canary.length],
]

/** Exif whose first directory says nothing of a place: the thumbnail's own does, and so does the thumbnail. */
const exifWithThumbnail = (thumbnail: Buffer): Buffer => {
  const camera = [ascii(0x010f, 'Rollei'), ascii(0x0110, '35 S'), short(0x0112, 6)]
  const secondAt = 8 + directory(8, camera, 0).length
  const second = (gpsAt: number, thumbnailAt: number): Buffer =>
    directory(
      secondAt,
      [
        short(0x0103, 6),
        long(0x0201, thumbnailAt),
        long(0x0202, thumbnail.length),
        ascii(0x010e, `from ${canary} 48.1371, 11.5753`),
        long(0x8825, gpsAt),
      ],
      0,
    )
  const gpsAt = secondAt + second(0, 0).length
  const gps = directory(gpsAt, places, 0)
  const parts = [
    Buffer.from('MM\0*', 'latin1'),
    be(4, 8),
    directory(8, camera, secondAt),
    second(gpsAt, gpsAt + gps.length),
    gps,
    thumbnail,
  ]
  return Buffer.concat(parts)
}

const xmpId = Buffer.from('be7acfcb97a942e89c71999491e3afac', 'hex')
const packet = Buffer.from(
  `<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" photoshop:City="${canary}"/></rdf:RDF></x:xmpmeta>`,
)

export interface Nested {
  readonly folder: string
  /** A JPEG with places in all forms. */
  readonly tagged: Buffer
  /** Films with a place, by what it stands in; their sources are the films without. */
  readonly films: readonly { readonly name: string; readonly bytes: Buffer; readonly source: Source }[]
  readonly named: (name: string) => Source | undefined
}

/** Pictures with a picture or a film inside that says where they were made. */
export const makeNested = async ({ folder, tagged, films, named }: Nested): Promise<Tagged[]> => {
  const made: Tagged[] = []
  const exif = join(folder, 'thumbnail.exif')
  await writeFile(exif, exifWithThumbnail(tagged))
  const commands: string[][] = []
  for (const name of ['jpeg', 'jpeg-p3', 'png', 'webp', 'heic', 'avif']) {
    const source = named(name)
    if (!source) continue
    const path = join(folder, `nested-${name}-thumbnail.${source.extension}`)
    await writeFile(path, await readFile(source.path))
    commands.push(['-q', '-overwrite_original', `-Exif<=${exif}`, path])
    made.push({ source, tagging: 'thumbnail', path })
  }
  await exiftool(folder, commands)
  for (const name of ['heic', 'avif', 'avif-moving']) {
    const source = named(name)
    if (!source) continue
    const picture = await readFile(source.path)
    const path = join(folder, `nested-${name}-packet.${source.extension}`)
    await writeFile(path, Buffer.concat([picture, box('uuid', Buffer.concat([xmpId, packet])), box('free', Buffer.from(canary))]))
    made.push({ source, tagging: 'packet', path })
    if (name === 'avif-moving') continue
    for (const film of films)
      for (const [tagging, before, after] of [
        ['in-box', Buffer.concat([picture, box('mpvd', film.bytes).subarray(0, 8)]), Buffer.alloc(0)],
        ['behind', picture, Buffer.alloc(0)],
        ['in-box-before-others', Buffer.concat([picture, box('mpvd', film.bytes).subarray(0, 8)]), box('sefd', Buffer.from(canary))],
      ] as const) {
        const path = join(folder, `nested-${name}-film-${film.name}-${tagging}.${source.extension}`)
        await writeFile(path, Buffer.concat([before, film.bytes, after]))
        const parts = [
          { start: 0, end: picture.length, source },
          { start: before.length, end: before.length + film.bytes.length, source: film.source },
        ]
        made.push({ source, tagging: `film-${film.name}-${tagging}`, path, parts, isOnlyParts: tagging === 'behind' })
      }
  }
  return made
}
