import { disguises as texts, boxOf, aliasTo, linkedCover, referenceTo, referring } from '../../test/journeys/fixtures/av-disguises.ts'
import { ascii, box, fullBox, join, le16, le32, u16, u32, u8, zeros } from '../files/bytes.ts'
import { openWorkshop } from './attacks.ts'
import type { Canary } from './canary.ts'
import { element, matroskaOf } from './ebml.ts'

/** A file that names another. */
export interface Input {
  readonly name: string
  readonly bytes: Uint8Array
  /** What else a program has to be let for it to follow. */
  readonly opened?: readonly string[]
  /** `nothing` to be played, the default; `references` instead of samples, or a `film` or a sound of its own, which may be taken as such. */
  readonly holds?: 'nothing' | 'references' | 'film'
  /** The one container that it can be taken for; without it, any. */
  readonly as?: Name
}

/** What files are called, and what the gate would take them for if they were what they are called. */
export const types = {
  ...{
    mp4: 'video/mp4',
    mkv: 'video/matroska',
    mp3: 'audio/mpeg',
    webm: 'video/webm',
    wav: 'audio/wav',
    ogg: 'audio/ogg',
    mov: 'video/quicktime',
  },
  ...{
    flac: 'audio/flac',
    avi: 'video/x-msvideo',
    aac: 'audio/aac',
    ts: 'video/mp2t',
    mpg: 'video/mpeg',
    aif: 'audio/aiff',
    caf: 'audio/x-caf',
    amr: 'audio/amr',
  },
} as const
export type Name = keyof typeof types

/** Good files that others are made of. */
export interface Bases {
  readonly mp4: Buffer
  readonly mkv: Buffer
  readonly mp3: Buffer
  readonly flac: Buffer
  readonly ogg: Buffer
  readonly wav: Buffer
}

/** A second of picture and sound, or of sound alone, in containers that ffmpeg makes. */
export const basesIn = async (folder: string): Promise<Bases> => {
  const workshop = openWorkshop(folder)
  const picture = ['-f', 'lavfi', '-i', 'testsrc2=size=64x48:rate=10:duration=1', '-f', 'lavfi', '-i', 'sine=440:duration=1']
  const make = (name: string, ...more: readonly string[]): Promise<Buffer> => workshop.make(name, ...picture, ...more)
  const film = ['-c:v', 'libx264', '-preset', 'ultrafast', '-c:a', 'aac']
  return {
    ...{ mp4: await make('base.mp4', ...film), mkv: await make('base.mkv', ...film) },
    ...{ mp3: await make('base.mp3', '-vn', '-id3v2_version', '0', '-write_xing', '0'), flac: await make('base.flac', '-vn') },
    ...{ ogg: await make('base.ogg', '-vn', '-c:a', 'libvorbis'), wav: await make('base.wav', '-vn') },
  }
}

const text = (name: string, words: string, more: Partial<Input> = {}): Input => ({ name, bytes: Buffer.from(words), ...more })

export const inputsFor = (canary: Canary, bases: Bases): readonly Input[] => [
  ...Object.entries(texts(canary.film, canary.url)).map(([name, words]) =>
    text(name, words, name.startsWith('concat') ? { opened: ['-safe', '0'] } : {}),
  ),
  ...playlists(canary),
  ...scripts(canary),
  ...behind(canary, bases),
  ...movies(canary, bases),
  ...containers(canary, bases),
]

const playlist = (address: string): string => `#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10.0,\n${address}\n#EXT-X-ENDLIST\n`

const playlists = ({ film, text: words, url, port }: Canary): Input[] => {
  const schemes = ['https', 'tcp', 'tls', 'rtmp', 'rtsp', 'ftp', 'gopher', 'mmst', 'mmsh', 'icecast', 'srtp', 'udp', 'rtp']
  return [
    ...schemes.map((scheme) => text(`hls over ${scheme}`, playlist(`${scheme}://127.0.0.1:${port}/canary.ts`))),
    text('hls by a name alone', playlist('canary.ts')),
    text('hls with returns', playlist(film).replaceAll('\n', '\r\n')),
    text('hls of a part', `#EXTM3U\n#EXTINF:1,\n#EXT-X-BYTERANGE:500@0\n${film}\n#EXT-X-ENDLIST\n`),
    text('hls by subfile', playlist(`subfile,,start,0,end,0,,:${film}`)),
    text('hls by crypto', playlist(`crypto:${film}`)),
    text('hls by cache', playlist(`cache:${film}`)),
    text('hls by async', playlist(`async:${film}`)),
    text('hls by tee', playlist(`tee:${film}`)),
    text('hls by pipe', playlist('pipe:0')),
    text('hls of text', playlist(words)),
    text('hls in data', playlist(`data:application/x-mpegurl;base64,${Buffer.from(playlist(film)).toString('base64')}`)),
    text('hls of hls', playlist(`data:application/x-mpegurl,${encodeURIComponent(playlist(url))}`)),
    text('hls with a key of a file', `#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="${words}"\n#EXTINF:1,\n${film}\n#EXT-X-ENDLIST\n`),
    text('a list of songs', `#EXTM3U\n#EXTINF:10,x\n${film}\n`),
    text('a list of addresses', `${film}\n${url}\n`),
    text('pls', `[playlist]\nFile1=${url}\nNumberOfEntries=1\n`),
    text('asx', `<asx version="3.0"><entry><ref href="${url}"/></entry></asx>`),
    text('smil', `<smil><body><seq><video src="${url}"/><text src="${film}"/></seq></body></smil>`),
  ]
}

const scripts = ({ film, text: words, url, port }: Canary): Input[] => [
  text('concat by a name alone', `ffconcat version 1.0\nfile canary.ts\nduration 5\n`),
  text('concat of text', `ffconcat version 1.0\nfile '${words}'\n`, { opened: ['-safe', '0'] }),
  text('concat of concat', `ffconcat version 1.0\nfile 'concat:${film}|${words}'\n`, { opened: ['-safe', '0'] }),
  text('concat by subfile', `ffconcat version 1.0\nfile 'subfile,,start,0,end,0,,:${film}'\n`, { opened: ['-safe', '0'] }),
  text('concat with options', `ffconcat version 1.0\nfile canary.ts\noption safe 0\noption protocol_whitelist file,http,tcp\n`),
  text('dash by template', mpd(`<SegmentTemplate media="${url}?$Number$" initialization="canary.ts" startNumber="1" duration="1"/>`)),
  text('dash by a name alone', mpd('<BaseURL>canary.ts</BaseURL>')),
  text('dash from elsewhere', `<?xml version="1.0"?><MPD xmlns:xlink="http://www.w3.org/1999/xlink"><Period xlink:href="${url}"/></MPD>`),
  text('dash with an entity', `<?xml version="1.0"?><!DOCTYPE MPD [<!ENTITY x SYSTEM "file://${words}">]><MPD><Title>&x;</Title></MPD>`),
  text('imf', `<?xml version="1.0"?><CompositionPlaylist><Annotation>${film}</Annotation></CompositionPlaylist>`),
  text(
    'sdp over tcp',
    `v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\na=control:rtsp://127.0.0.1:${port}/x\nt=0 0\nm=audio 0 RTP/AVP/TCP 0\n`,
  ),
  text('avisynth', `LoadModule("${film}")\nDirectShowSource("${url}")\n`),
  text(
    'vobsub',
    `# VobSub index file, v7 (do not modify this line!)\nsize: 720x576\nid: en, index: 0\ntimestamp: 00:00:00:000, filepos: 000000000\n`,
  ),
  text('sami', `<SAMI><BODY><SYNC Start=0><P><img src="${url}">${film}</P></SYNC></BODY></SAMI>`),
  text('a name that counts', `canary%d.ts\n`),
  text('lavfi with text', `drawtext=textfile=${words}`),
  text(
    'a font in a script',
    `[Script Info]\nScriptType: v4.00+\n[Fonts]\nfontname: ${film}\n[Events]\nDialogue: 0,0:00:00.00,0:00:05.00,D,,0,0,0,,x\n`,
  ),
]

const mpd = (inside: string): string =>
  `<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT6S"><Period><AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1">${inside}</Representation></AdaptationSet></Period></MPD>`

/** Behind the beginning of something else. */
const behind = ({ film, url }: Canary, { mp4, mkv }: Bases): Input[] => {
  const list = ascii(playlist(film))
  const tag = (body: Uint8Array): Buffer =>
    join(ascii('ID3'), u8(3, 0, 0), u8(...[21, 14, 7, 0].map((shift) => (body.length >> shift) & 127)), body)
  const frame = (id: string, body: Uint8Array): Buffer => join(ascii(id), u32(body.length), u16(0), body)
  const wide = Buffer.from(`\uFEFF${playlist(film)}`, 'utf16le')
  return [
    { name: 'hls in wide letters', bytes: wide },
    { name: 'hls in wide letters the other way', bytes: Buffer.from(wide).swap16() },
    { name: 'hls behind the head of an MP4', bytes: join(mp4.subarray(0, 32), list) },
    { name: 'hls behind a type alone', bytes: join(box('ftyp', ascii('isom'), u32(512), ascii('isommp42')), ascii('\n'), list) },
    { name: 'hls in a free box', bytes: join(box('ftyp', ascii('isom'), u32(512)), box('free', list)) },
    { name: 'hls behind the head of a WebM', bytes: join(mkv.subarray(0, 40), list) },
    { name: 'hls behind a tag', bytes: join(tag(frame('TIT2', ascii('\0x'))), list) },
    { name: 'hls in a tag', bytes: tag(frame('TXXX', join(ascii('\0x\0'), list))) },
    { name: 'hls behind a megabyte of comments', bytes: join(ascii(`#${' a'.repeat(500_000)}\n`), list) },
    { name: 'hls behind empty bytes', bytes: join(zeros(188), list) },
    { name: 'hls behind the head of a WAV', bytes: join(ascii('RIFF'), le32(100), ascii('WAVE'), list) },
    {
      name: 'hls in the place of samples',
      bytes: join(ascii('RIFF'), le32(36 + list.length), ascii('WAVEfmt '), le32(16), waveFormat, ascii('data'), le32(list.length), list),
      holds: 'film',
      as: 'wav',
    },
    { name: 'a film in front of hls', bytes: join(mp4, list), holds: 'film', as: 'mp4' },
    { name: 'a film of webm in front of hls', bytes: join(mkv, ascii(playlist(url))), holds: 'film', as: 'mkv' },
  ]
}

const waveFormat = join(le16(1), le16(1), le32(8_000), le32(8_000), le16(1), le16(8))

const movies = ({ film, text: words, url }: Canary, { mp4 }: Bases): Input[] => {
  const referenced = { opened: ['-enable_drefs', '1', '-use_absolute_path', '1'], holds: 'references', as: 'mp4' } as const
  const reference = (address: string): Buffer => {
    const data = join(u32(0), ascii('url '), u32(address.length + 1), ascii(`${address}\0`))
    return join(box('ftyp', ascii('qt  '), u32(0), ascii('qt  ')), box('moov', box('rmra', box('rmda', box('rdrf', data)))))
  }
  const beside = (extra: Buffer): Buffer => join(mp4, box('moov', extra))
  const cover = box('udta', fullBox('meta', 0, 0, box('ilst', box('covr', box('data', u32(13), u32(0), ascii(url))))))
  return [
    { name: 'a movie whose samples are a file', bytes: referring(mp4, referenceTo(`file://${film}`)), ...referenced },
    { name: 'a movie whose samples are on a server', bytes: referring(mp4, referenceTo(url)), ...referenced },
    { name: 'a movie whose samples are an alias', bytes: referring(mp4, aliasTo(film)), ...referenced },
    { name: 'a movie whose samples are an alias of text', bytes: referring(mp4, aliasTo(words)), ...referenced },
    { name: 'a movie whose samples have a name', bytes: referring(mp4, fullBox('urn ', 0, 0, ascii(`urn:x\0${url}\0`))), ...referenced },
    { name: 'a movie that refers to a file', bytes: reference(`file://${film}`), as: 'mov' },
    { name: 'a movie that refers to a server', bytes: reference(url), as: 'mov' },
    { name: 'a movie that refers to a list', bytes: reference(`concat:${film}|${words}`), as: 'mov' },
    {
      name: 'a movie with a streaming hint',
      bytes: beside(box('udta', box('hnti', box('sdp ', ascii(`m=video 1 RTP/AVP 96\na=control:${url}`))))),
      holds: 'film',
      as: 'mp4',
    },
    { name: 'a movie with a linked cover', bytes: beside(cover), holds: 'film', as: 'mp4' },
    {
      name: 'a movie with a linked address',
      bytes: join(mp4, boxOf('uuid', Buffer.concat([Buffer.alloc(16), Buffer.from(url)]))),
      holds: 'film',
      as: 'mp4',
    },
  ]
}

const containers = ({ film, text: words, url }: Canary, { mkv, mp3, flac, ogg, wav }: Bases): Input[] => {
  const linked = element(
    '1549a966',
    element('73a4', zeros(16)),
    element('3eb923', zeros(16)),
    element('3e83bb', ascii('canary.ts')),
    element('3c83ab', ascii(film)),
  )
  const attached = element(
    '1941a469',
    element(
      '61a7',
      element('466e', ascii('list.m3u8')),
      element('4660', ascii('application/x-mpegurl')),
      element('465c', ascii(playlist(film))),
      element('46ae', u8(1)),
    ),
  )
  const ordered = element(
    '1043a770',
    element(
      '45b9',
      element('45dd', u8(1)),
      element('b6', element('73c4', u8(1)), element('91', u8(0)), element('6e67', zeros(16)), element('6ebc', u8(1))),
    ),
  )
  const picture = join(u32(3), u32(3), ascii('-->'), u32(0), zeros(16), u32(url.length), ascii(url))
  const block = join(u8(0x86), u8(0, 0, picture.length), picture)
  return [
    { name: 'matroska that goes on in another file', bytes: matroskaOf(mkv, linked), holds: 'film', as: 'mkv' },
    { name: 'matroska with chapters of another file', bytes: matroskaOf(mkv, ordered), holds: 'film', as: 'mkv' },
    { name: 'matroska with a playlist attached', bytes: matroskaOf(mkv, attached), holds: 'film', as: 'mkv' },
    {
      name: 'matroska with a tag that names a file',
      bytes: matroskaOf(
        mkv,
        element('1254c367', element('7373', element('67c8', element('45a3', ascii('URL')), element('4487', ascii(words))))),
      ),
      holds: 'film',
      as: 'mkv',
    },
    { name: 'mp3 with a linked cover', bytes: join(linkedCover(url), mp3), holds: 'film', as: 'mp3' },
    { name: 'mp3 with a linked cover of a file', bytes: join(linkedCover(`file://${film}`), mp3), holds: 'film', as: 'mp3' },
    {
      name: 'flac with a linked cover',
      bytes: join(flac.subarray(0, 4), u8((flac[4] ?? 0) & 127), flac.subarray(5, 42), block, flac.subarray(42)),
      holds: 'film',
      as: 'flac',
    },
    { name: 'a sound of ogg in front of hls', bytes: join(ogg, ascii(playlist(film))), holds: 'film', as: 'ogg' },
    {
      name: 'wav with a list of files',
      bytes: join(wav, ascii('LIST'), le32(4 + 8 + film.length), ascii('INFO'), ascii('IFIL'), le32(film.length), ascii(film)),
      holds: 'film',
      as: 'wav',
    },
  ]
}

/** As files are called that a program may take for something else. */
export const oddNames: readonly string[] = [
  '-i.mp4',
  '-y',
  'frame-%03d.mp4',
  'concat:film.mp4',
  'pipe:0',
  'data:,film.mp4',
  'subfile,,start,0,end,9,,:film.mp4',
  'tee:film.mp4',
  '%d.mp4',
  'film|film.mp4',
  "a'b;c$(id).mp4",
  'fd:3',
]
