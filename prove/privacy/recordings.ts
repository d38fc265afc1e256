import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Tagged } from './tagged-file.ts'
import type { Source } from './sources.ts'
import { canary, iso6709 } from './taggings.ts'
import { ffmpeg } from './tools.ts'

const be = (width: number, value: number): Buffer => {
  const field = Buffer.alloc(width)
  field.writeUIntBE(value, 0, width)
  return field
}
const le = (value: number): Buffer => be(4, value).reverse()
const latin = (text: string): Buffer => Buffer.from(text, 'latin1')
/** Free text with a place in it. */
const said = `Halt at 48.1371543, 11.5753829 ${canary}`

const element = (id: string, ...content: readonly Buffer[]): Buffer => {
  const body = Buffer.concat(content)
  const size = be(4, body.length)
  size[0] = (size[0] ?? 0) | 0x10
  return Buffer.concat([Buffer.from(id, 'hex'), size, body])
}
const note = (name: string, text: string): Buffer => element('67c8', element('45a3', latin(name)), element('4487', latin(text)))
/** What a live muxer writes of a recording when it ends: of the whole, and of the first track. */
const trailingTags = Buffer.concat([
  element('1254c367', element('7373', element('63c0'), note('LOCATION', iso6709), note('COMMENT', canary))),
  element('1254c367', element('7373', element('63c0', element('63c5', be(1, 1))), note('RECORDING_LOCATION', canary))),
])

const frame = (id: string, ...content: readonly Buffer[]): Buffer => {
  const body = Buffer.concat(content)
  return Buffer.concat([latin(id), be(4, body.length), Buffer.alloc(2), body])
}
/** ID3v2.3. */
const id3 = (...frames: readonly Buffer[]): Buffer => {
  const body = Buffer.concat([...frames, Buffer.alloc(64)])
  const digits = [21, 14, 7, 0].map((shift) => (body.length >> shift) & 127)
  return Buffer.concat([latin('ID3'), Buffer.from([3, 0, 0, ...digits]), body])
}
const object = (content: Buffer): Buffer =>
  frame('GEOB', latin(`\0application/gpx+xml\0way.gpx\0${canary}\0`), latin(`<trkpt lat="48.1371" lon="11.5753"/>${canary}`), content)
const cover = (picture: Buffer): Buffer => frame('APIC', latin('\0image/jpeg\0\x03front\0'), picture)
const chapter = frame(
  'CHAP',
  latin('one\0'),
  ...[be(4, 0), be(4, 900), be(4, 0xffffffff), be(4, 0xffffffff)],
  frame('TIT2', latin(`\0${said}`)),
)
const oldTag = Buffer.concat([latin('TAG'), latin(canary.padEnd(30, '\0')), latin(said.slice(0, 30)), Buffer.alloc(64), Buffer.from([255])])
const apeTag = (): Buffer => {
  const item = Buffer.concat([le(said.length), le(0), latin(`Location\0${said}`)])
  const head = (flags: number): Buffer =>
    Buffer.concat([latin('APETAGEX'), le(2000), le(item.length + 32), le(1), le(flags), Buffer.alloc(8)])
  return Buffer.concat([head(0xa0000000), item, head(0x80000000)])
}

const withoutTag = (mp3: Buffer): Buffer => {
  const length = mp3.toString('latin1', 0, 3) === 'ID3' ? 10 + mp3.subarray(6, 10).reduce((sum, one) => sum * 128 + one, 0) : 0
  return mp3.subarray(length)
}

/** The description of the stream comes first, and none of the others was the last. */
const withBlock = (flac: Buffer, type: number, body: Buffer): Buffer =>
  Buffer.concat([flac.subarray(0, 42), be(1, type), be(3, body.length), body, flac.subarray(42)])
const pictureBlock = (picture: Buffer): Buffer => {
  const named = (text: string): Buffer => Buffer.concat([be(4, text.length), latin(text)])
  return Buffer.concat([be(4, 3), named('image/jpeg'), named(canary), Buffer.alloc(16), be(4, picture.length), picture])
}
const application = latin(`riff${said}`)

const chunk = (type: string, body: Buffer): Buffer => Buffer.concat([latin(type), le(body.length), body, Buffer.alloc(body.length % 2)])
/** The last chunk of the file, counted by its header. */
const withChunk = (wav: Buffer, type: string, body: Buffer): Buffer => {
  const whole = Buffer.concat([wav, chunk(type, body)])
  whole.writeUInt32LE(whole.length - 8, 4)
  return whole
}
const broadcast = Buffer.concat([
  latin(said.padEnd(256, '\0')),
  latin(canary.padEnd(32, '\0')),
  latin('reference'.padEnd(32, '\0')),
  latin('2026-01-0203:04:05'),
  Buffer.alloc(264),
  latin(`A=PCM,F=48000,T=${said}\r\n`),
])

const clean = ['-map_metadata', '-1', '-fflags', '+bitexact', '-flags:a', '+bitexact']

/** Bytes beside the sound or behind the film, which is the source's own. */
const besides: readonly (readonly [of: string, tagging: string, make: (clean: Buffer, tagged: Buffer) => Buffer])[] = [
  ['webm', 'tags-behind-segment', (webm) => Buffer.concat([webm, trailingTags])],
  ['webm-live', 'tags-behind-clusters', (webm) => Buffer.concat([webm, trailingTags])],
  ['mkv', 'tags-behind-segment', (mkv) => Buffer.concat([mkv, trailingTags])],
  ['mp3', 'object', (mp3) => Buffer.concat([id3(object(Buffer.alloc(0))), withoutTag(mp3)])],
  ['mp3', 'object-picture', (mp3, tagged) => Buffer.concat([id3(object(tagged), cover(tagged)), withoutTag(mp3)])],
  ['mp3', 'chapter-frames', (mp3) => Buffer.concat([id3(chapter), withoutTag(mp3)])],
  ['mp3', 'tags-twice', (mp3) => Buffer.concat([id3(frame('TIT2', latin('\0A sound'))), id3(object(Buffer.alloc(0))), withoutTag(mp3)])],
  ['mp3', 'tags-at-the-end', (mp3) => Buffer.concat([withoutTag(mp3), apeTag(), oldTag])],
  ['flac', 'picture', (flac, tagged) => withBlock(flac, 6, pictureBlock(tagged))],
  ['flac', 'application', (flac) => withBlock(flac, 2, application)],
  ['flac', 'padding', (flac) => withBlock(flac, 1, latin(said))],
  ['flac', 'id3-before', (flac) => Buffer.concat([id3(object(Buffer.alloc(0))), flac])],
  ['wav', 'bext', (wav) => withChunk(wav, 'bext', broadcast)],
  ['wav', 'ixml', (wav) => withChunk(wav, 'iXML', latin(`<BWFXML><LOCATION><LOCATION_GPS>${said}</LOCATION_GPS></LOCATION></BWFXML>`))],
  ['wav', 'id3', (wav, tagged) => withChunk(wav, 'id3 ', id3(object(tagged)))],
  ['wav', 'junk', (wav) => withChunk(wav, 'JUNK', latin(said))],
]

export interface Recordings {
  readonly folder: string
  /** A JPEG with places in all forms. */
  readonly tagged: Buffer
  readonly named: (name: string) => Source | undefined
}

/** Recordings that hold places where a probe does not look: behind, in between, in a second one, in tracks of their own. */
export const makeRecordings = async (given: Recordings): Promise<Tagged[]> => {
  const { folder, tagged, named } = given
  const made: Tagged[] = []
  for (const [of, tagging, make] of besides) {
    const source = named(of)
    if (!source) continue
    const path = join(folder, `recording-${of}-${tagging}.${source.extension}`)
    await writeFile(path, make(await readFile(source.path), tagged))
    made.push({ source, tagging, path })
  }
  return [...made, ...(await makeJoined(given)), ...(await makeTitled(given)), ...(await makeNoted(given))]
}

/** Two recordings one behind the other, the second or both with tags of their own; the source of it is the same two without any. */
const makeJoined = async ({ folder, named }: Recordings): Promise<Tagged[]> => {
  const made: Tagged[] = []
  for (const name of ['ogg', 'opus', 'mp3']) {
    const source = named(name)
    if (!source) continue
    const part = async (title: string, notes: readonly string[]): Promise<Buffer> => {
      const path = join(folder, `part-${name}-${title}.${source.extension}`)
      const serial = name === 'mp3' ? [] : ['-serial_offset', title.startsWith('second') ? '700' : '0']
      await ffmpeg(['-i', `file:${source.path}`, '-c', 'copy', ...clean, ...notes, ...serial, `file:${path}`])
      return readFile(path)
    }
    const notes = ['-metadata', `location=${iso6709}`, '-metadata', `comment=${said}`, ...(name === 'mp3' ? ['-write_id3v1', '1'] : [])]
    const untagged = name === 'mp3' ? ['-id3v2_version', '0', '-write_id3v1', '0'] : []
    const [first, second] = [await part('first', untagged), await part('second', untagged)]
    const [firstTagged, secondTagged] = [await part('first-tagged', notes), await part('second-tagged', notes)]
    const joined: Source = { ...source, name: `${name}-joined`, path: join(folder, `source-${name}-joined.${source.extension}`) }
    await writeFile(joined.path, Buffer.concat([first, second]))
    for (const [tagging, bytes] of [
      ['second-tagged', Buffer.concat([first, secondTagged])],
      ['both-tagged', Buffer.concat([firstTagged, secondTagged])],
    ] as const) {
      const path = join(folder, `recording-${name}-${tagging}.${source.extension}`)
      await writeFile(path, bytes)
      made.push({ source: joined, tagging, path, mayBeRefused: true })
    }
  }
  return made
}

const subtitlesIn: Readonly<Record<string, readonly string[]>> = {
  webm: ['webvtt'],
  mkv: ['subrip', 'ass', 'webvtt'],
  mp4: ['mov_text'],
  'mp4-fragments': ['mov_text'],
  mov: ['mov_text'],
}
const fragmented = ['-movflags', 'frag_keyframe+empty_moov']

/** Chapters and subtitles, in whose text a place is said. */
const makeTitled = async ({ folder, named }: Recordings): Promise<Tagged[]> => {
  const chapters = join(folder, 'places.ffmetadata')
  await writeFile(
    chapters,
    `;FFMETADATA1\n${[0, 500].map((at) => `[CHAPTER]\nTIMEBASE=1/1000\nSTART=${at}\nEND=${at + 500}\ntitle=${said}\n`).join('')}`,
  )
  const lines = join(folder, 'lines.srt')
  await writeFile(
    lines,
    `1\n00:00:00,000 --> 00:00:00,300\nHere we are\n\n2\n00:00:00,400 --> 00:00:00,600\n${said}\n\n3\n00:00:00,700 --> 00:00:00,900\nThere we were\n`,
  )
  const made: Tagged[] = []
  for (const name of ['mp4', 'mov', 'm4a', 'webm', 'mkv', 'ogg', 'opus', 'mp3', 'flac']) {
    const source = named(name)
    if (!source) continue
    const path = join(folder, `recording-${name}-chapters.${source.extension}`)
    await ffmpeg(['-i', `file:${source.path}`, '-i', `file:${chapters}`, '-map', '0', '-map_chapters', '1', '-c', 'copy', `file:${path}`])
    if ((await readFile(path)).includes(canary)) made.push({ source, tagging: 'chapters', path })
  }
  for (const [name, codecs] of Object.entries(subtitlesIn)) {
    const source = named(name)
    if (!source) continue
    for (const codec of codecs) {
      const path = join(folder, `recording-${name}-${codec}.${source.extension}`)
      const flags = name === 'mp4-fragments' ? fragmented : []
      const inputs = ['-i', `file:${source.path}`, '-i', `file:${lines}`, '-map', '0', '-map', '1']
      await ffmpeg([...inputs, '-c', 'copy', '-c:s', codec, ...flags, `file:${path}`])
      made.push({ source, tagging: `subtitles-${codec}`, path, mayBeRefused: name === 'mp4-fragments' })
    }
  }
  return made
}

/** Covers that are photos with places, and a camera's timed notes. */
const makeNoted = async ({ folder, named, tagged }: Recordings): Promise<Tagged[]> => {
  const photo = join(folder, 'cover.jpg')
  await writeFile(photo, tagged)
  const made: Tagged[] = []
  for (const name of ['ogg', 'opus']) {
    const source = named(name)
    if (!source) continue
    const path = join(folder, `recording-${name}-cover.${source.extension}`)
    const picture = `METADATA_BLOCK_PICTURE=${pictureBlock(tagged).toString('base64')}`
    const list = join(folder, 'cover.ffmetadata')
    await writeFile(list, `;FFMETADATA1\n${picture.replaceAll('=', '\\=').replace('\\=', '=')}\n`)
    await ffmpeg(['-i', `file:${source.path}`, '-i', `file:${list}`, '-map', '0', '-map_metadata', '1', '-c', 'copy', `file:${path}`])
    made.push({ source, tagging: 'cover', path })
  }
  const sound = named('m4a')
  if (sound) {
    const path = join(folder, `recording-m4a-cover.${sound.extension}`)
    const inputs = ['-i', `file:${sound.path}`, '-i', `file:${photo}`, '-map', '0', '-map', '1']
    await ffmpeg([...inputs, '-c', 'copy', '-disposition:v:0', 'attached_pic', `file:${path}`])
    made.push({ source: sound, tagging: 'cover', path })
  }
  const film = named('mov')
  if (film) {
    const lines = join(folder, 'note.srt')
    await writeFile(lines, `1\n00:00:00,000 --> 00:00:00,900\n${iso6709} ${canary}\n`)
    const titles = join(folder, 'recording-mov-note.mov')
    const inputs = ['-i', `file:${film.path}`, '-i', `file:${lines}`, '-map', '0', '-map', '1']
    await ffmpeg([...inputs, '-c', 'copy', '-c:s', 'mov_text', `file:${titles}`])
    const path = join(folder, 'recording-mov-timed-notes.mov')
    await writeFile(path, withTimedNotes(await readFile(titles)))
    made.push({ source: film, tagging: 'timed-notes', path })
  }
  return made
}

const box = (type: string, ...content: readonly Buffer[]): Buffer => {
  const body = Buffer.concat(content)
  return Buffer.concat([be(4, body.length + 8), latin(type), body])
}
const key = (name: string): Buffer =>
  box('\0\0\0\x01', box('keyd', latin(`mdta${name}`)), box('dtyp', be(4, 1), latin('com.apple.metadata.datatype-location')))
const timedNotes = box('mebx', be(6, 0), be(2, 1), box('keys', key('com.apple.quicktime.location.ISO6709')))

/** The subtitles of a film as a phone's timed notes of where it was: another handler, another entry, and the same samples with a head. */
const withTimedNotes = (film: Buffer): Buffer => {
  const isNote = (trak: Buffer): boolean => /hdlr.{8}(?:sbtl|text)/s.test(trak.toString('latin1'))
  const rebuilt = (bytes: Buffer, inNote: boolean): Buffer => {
    const boxes: Buffer[] = []
    for (let at = 0; at < bytes.length; at += bytes.readUInt32BE(at)) {
      const one = bytes.subarray(at, at + bytes.readUInt32BE(at))
      const [type, body] = [one.toString('latin1', 4, 8), one.subarray(8)]
      const isOne = inNote || (type === 'trak' && isNote(one))
      if (['moov', 'trak', 'mdia', 'minf', 'stbl'].includes(type)) boxes.push(box(type, rebuilt(body, isOne)))
      else if (isOne && type === 'stsd') boxes.push(box('stsd', be(4, 0), be(4, 1), timedNotes))
      else if (isOne && type === 'hdlr') boxes.push(box('hdlr', body.subarray(0, 8), latin('meta'), body.subarray(12)))
      else boxes.push(one)
    }
    return Buffer.concat(boxes)
  }
  return rebuilt(film, false)
}
