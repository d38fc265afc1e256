import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join as pathOf } from 'node:path'
import { promisify } from 'node:util'
import sharp from 'sharp'
import {
  again,
  all,
  ascii,
  box,
  fullBox,
  join,
  le16,
  le32,
  le64,
  many,
  pngChunk,
  pngSignature,
  times,
  u16,
  u32,
  u8,
  zeros,
  zerosDeflated,
} from '../files/bytes.ts'
import type { Random } from '../harness.ts'
import { element, float, number, matroskaHead } from './ebml.ts'
import type { ProfileName } from './house.ts'

/** A file that is made to take more than anybody has: time, memory, disk. */
export interface Attack {
  readonly name: string
  readonly profile: ProfileName
  readonly filename: string
  /** Left to full runs. */
  readonly isSlow: boolean
  bytes(workshop: Workshop, random: Random): Promise<Uint8Array>
}

/** Makes what is good, so that only one thing about a file is bad. */
export interface Workshop {
  /** ffmpeg with these arguments and the name of a file. */
  make(name: string, ...args: readonly string[]): Promise<Buffer>
}

export const openWorkshop = (folder: string): Workshop => ({
  async make(name, ...args) {
    await promisify(execFile)('ffmpeg', ['-nostdin', '-v', 'error', '-y', ...args, pathOf(folder, name)], { timeout: 120_000 })
    return readFile(pathOf(folder, name))
  },
})

const attack = (name: string, filename: string, bytes: Attack['bytes'], profile: ProfileName = 'raw'): Attack => ({
  name,
  filename,
  bytes,
  profile,
  isSlow: false,
})

const jpeg = (width: number, height: number, background = '#456'): Promise<Buffer> =>
  sharp({ create: { width, height, channels: 3, background } })
    .jpeg({ quality: 40 })
    .toBuffer()

interface Shown {
  readonly at: number
  readonly bytes: Uint8Array
  readonly track?: number
  readonly standsMs?: number
}

interface Film {
  readonly durationMs: number
  readonly width?: number
  readonly height?: number
  readonly everyNs?: number
  readonly more?: readonly Uint8Array[]
  readonly info?: readonly Uint8Array[]
  readonly frames: readonly Shown[]
}

const cluster = ({ at, bytes, track = 1, standsMs }: Shown): Buffer => {
  const block = join(u8(0x80 | track, 0, 0, standsMs === undefined ? 0x80 : 0), bytes)
  const told = standsMs === undefined ? element('a3', block) : element('a0', element('a1', block), number('9b', standsMs))
  return element('1f43b675', number('e7', at), told)
}

const pictureTrack = (index: number, { width = 64, height = 48, everyNs }: Partial<Film>, ...more: readonly Uint8Array[]): Buffer =>
  element(
    'ae',
    ...[number('d7', index, 2), number('73c5', index, 2), number('83', 1, 1), element('86', ascii('V_MJPEG'))],
    ...(everyNs === undefined ? [] : [number('23e383', everyNs)]),
    ...[element('e0', number('b0', width, 4), number('ba', height, 4)), ...more],
  )

const soundTrack = (index: number, samplesPerSecond: number, channels = 1): Buffer =>
  element(
    'ae',
    ...[number('d7', index, 2), number('73c5', index, 2), number('83', 2, 1), element('86', ascii('A_PCM/INT/LIT'))],
    element('e1', float('b5', samplesPerSecond), number('9f', channels, 2), number('6264', 16, 1)),
  )

/** Matroska whose pictures are whole JPEGs, at whatever times. */
const matroska = (film: Film): Buffer =>
  join(
    matroskaHead,
    element(
      '18538067',
      element('1549a966', number('2ad7b1', 1_000_000, 4), float('4489', film.durationMs), ...(film.info ?? [])),
      element('1654ae6b', pictureTrack(1, film), ...(film.more ?? [])),
      all(film.frames, cluster),
    ),
  )

const still = async (durationMs: number, times: readonly number[], more: Partial<Film> = {}): Promise<Buffer> => {
  const bytes = await jpeg(more.width ?? 64, more.height ?? 48)
  return matroska({ durationMs, ...more, frames: times.map((at) => ({ at, bytes })) })
}

const tenASecond = (seconds: number): number[] => times(seconds * 10, (index) => index * 100)

const wav = ({ rate, channels, samples, bits = 16 }: { rate: number; channels: number; samples: Uint8Array; bits?: number }): Buffer => {
  const each = (channels * bits) / 8
  const format = join(le16(1), le16(channels), le32(rate), le32(rate * each), le16(each), le16(bits))
  return join(ascii('RIFF'), le32(36 + samples.length), ascii('WAVEfmt '), le32(16), format, ascii('data'), le32(samples.length), samples)
}

const soundOf = (seconds: number, ...more: readonly string[]): string[] => ['-f', 'lavfi', '-i', `sine=440:duration=${seconds}`, ...more]
const filmOf = (seconds: number): string[] => [
  '-f',
  'lavfi',
  '-i',
  `testsrc2=size=64x48:rate=25:duration=${seconds}`,
  '-c:v',
  'libx264',
  '-preset',
  'ultrafast',
]

/** The same boxes, with one put into each track. The index has to stand behind what it is about. */
const withInTracks = (mp4: Buffer, extra: Uint8Array): Buffer => {
  const rebuilt = (from: Buffer): Buffer => {
    const parts: Uint8Array[] = []
    for (let at = 0; at + 8 <= from.length; at += from.readUInt32BE(at)) {
      const [type, body] = [from.toString('latin1', at + 4, at + 8), from.subarray(at + 8, at + from.readUInt32BE(at))]
      parts.push(
        type === 'moov'
          ? box(type, rebuilt(body))
          : type === 'trak'
            ? box(type, body.subarray(0, 92), extra, withoutEdits(body.subarray(92)))
            : box(type, body),
      )
    }
    return join(...parts)
  }
  return rebuilt(mp4)
}

const withoutEdits = (body: Buffer): Buffer => (body.toString('latin1', 4, 8) === 'edts' ? body.subarray(body.readUInt32BE(0)) : body)

/** Every place where such a box begins, with so many bytes from an offset on replaced. */
const patched = (file: Buffer, type: string, offset: number, bytes: Uint8Array): Buffer => {
  const copy = Buffer.from(file)
  for (let at = copy.indexOf(type); at >= 0; at = copy.indexOf(type, at + 4)) copy.set(bytes, at + 4 + offset)
  return copy
}

const id3 = (frames: readonly Uint8Array[]): Buffer => {
  const body = Buffer.concat(frames)
  return join(ascii('ID3'), u8(3, 0, 0), u8(...[21, 14, 7, 0].map((shift) => (body.length >> shift) & 127)), body)
}
const id3Frame = (id: string, ...body: readonly Uint8Array[]): Buffer => {
  const inside = join(...body)
  return join(ascii(id), u32(inside.length), u16(0), inside)
}
const hugePng = (side: number): Buffer =>
  join(
    pngSignature,
    pngChunk('IHDR', join(u32(side), u32(side), u8(8, 2, 0, 0, 0))),
    pngChunk('IDAT', zerosDeflated(side * (side * 3 + 1))),
    pngChunk('IEND'),
  )

const inTime: readonly Attack[] = [
  attack('two pictures two hours apart', 'gap.mkv', () => still(7_199_500, [0, 7_199_000])),
  attack('a gap of eleven days that the header is silent about', 'gap.mkv', () => still(5_000, [...tenASecond(5), 1_000_000_000])),
  attack('a gap of thirty years in a file of five seconds', 'gap.mkv', () =>
    still(5_000, [...tenASecond(2), 1_000_000_000_000, ...tenASecond(1).map((at) => at + 1_000_000_000_100)]),
  ),
  attack('a last picture that stands for thirty years', 'stands.mkv', async () => {
    const bytes = await jpeg(64, 48)
    return matroska({
      durationMs: 5_000,
      frames: tenASecond(5).map((at) => ({ at, bytes, standsMs: at < 4_900 ? 100 : 1_000_000_000_000 })),
    })
  }),
  attack('times that go backwards', 'back.mkv', () => still(5_000, tenASecond(5).toReversed())),
  attack('twenty thousand pictures in one moment', 'burst.mkv', () => still(5_000, [...times(20_000, () => 0), 5_000])),
  attack('a picture each nanosecond', 'fast.mkv', () =>
    still(
      3_000,
      times(3_000, (index) => index),
      { everyNs: 1 },
    ),
  ),
  attack('a thousand pictures a second for a minute', 'fast.mkv', () =>
    still(
      60_000,
      times(60_000, (index) => index),
      { everyNs: 1_000_000, width: 16, height: 16 },
    ),
  ),
  attack('an endless length', 'endless.mkv', () => still(Infinity, tenASecond(3))),
  attack('a length that is no number', 'nan.mkv', () => still(NaN, tenASecond(3))),
  attack('a film of 2³² seconds', 'long.mp4', async ({ make }) => {
    const film = await make('long.mp4', ...filmOf(2))
    return ['mvhd', 'mdhd'].reduce((file, type) => patched(file, type, 16, u32(0xffff_ffff)), patched(film, 'tkhd', 20, u32(0xffff_ffff)))
  }),
  attack('two pictures 2³² ticks apart', 'gap.mp4', async ({ make }) => {
    const film = await make('stts.mp4', ...filmOf(0.08), '-bf', '0')
    return patched(film, 'stts', 8, join(u32(2), u32(0x7000_0000)))
  }),
  attack('sound that begins after a gap of days', 'gap.mkv', async (_, random) => {
    const bytes = random.bytes(1_600)
    const sounds = [...tenASecond(3), 500_000_000].map((at) => ({ at, bytes, track: 2 }))
    const picture = await jpeg(64, 48)
    return matroska({
      durationMs: 4_000,
      more: [soundTrack(2, 8_000)],
      frames: [...tenASecond(3).map((at) => ({ at, bytes: picture })), ...sounds],
    })
  }),
]

const inSize: readonly Attack[] = [
  attack(
    'one pixel',
    'dot.webm',
    ({ make }) =>
      make(
        'dot.webm',
        '-f',
        'rawvideo',
        '-s',
        '1x1',
        '-pix_fmt',
        'yuv444p',
        '-r',
        '10',
        '-t',
        '2',
        '-i',
        '/dev/zero',
        '-c:v',
        'libvpx-vp9',
      ),
    'lesson',
  ),
  attack('a line of pixels', 'line.mkv', () => still(3_000, tenASecond(3), { width: 16_000, height: 1 })),
  attack('65,500 squared in its pictures alone', 'huge.mkv', async () => {
    const picture = patchedJpeg(await jpeg(64, 48), 65_500)
    return matroska({ durationMs: 3_000, frames: tenASecond(3).map((at) => ({ at, bytes: picture })) })
  }),
  attack('pictures that grow and shrink', 'breath.mkv', async () => {
    const [small, large] = await Promise.all([jpeg(64, 48), jpeg(7_000, 7_000)])
    return matroska({ durationMs: 6_000, frames: tenASecond(6).map((at, index) => ({ at, bytes: index % 5 === 4 ? large : small })) })
  }),
  attack('pictures that are large after the first seconds', 'later.mkv', async () => {
    const [small, large] = await Promise.all([jpeg(64, 48), jpeg(12_000, 12_000)])
    return matroska({
      durationMs: 30_000,
      frames: tenASecond(30).map((at, index) => ({ at, bytes: index > 100 && index < 120 ? large : small })),
    })
  }),
  attack(
    'a cover of 30,000 squared',
    'cover.mp3',
    async ({ make }) =>
      join(
        id3([id3Frame('APIC', ascii('\0image/png\0\x03\0'), hugePng(30_000))]),
        await make('plain.mp3', ...soundOf(2), '-id3v2_version', '0', '-write_xing', '0'),
      ),
    'lesson',
  ),
  attack('nine hundred tracks', 'tracks.mkv', async () =>
    still(3_000, tenASecond(3), { more: times(900, (index) => pictureTrack(index + 2, {})) }),
  ),
  attack('a hundred tracks of sound', 'tracks.mkv', async () =>
    still(3_000, tenASecond(3), { more: times(100, (index) => soundTrack(index + 2, 48_000)) }),
  ),
  attack('a picture that unpacks to a gigabyte', 'packed.mkv', async () => {
    const packed = element('6d80', element('6240', number('5031', 0, 1), number('5032', 1, 1), element('5034', number('4254', 0, 1))))
    const frames = tenASecond(3).map((at) => ({ at, bytes: zerosDeflated(1024 * 1024 * 1024), track: 2 }))
    return matroska({
      durationMs: 3_000,
      more: [pictureTrack(2, {}, packed)],
      frames: [{ at: 0, bytes: await jpeg(64, 48) }, ...frames.slice(0, 3)],
    })
  }),
  attack('a hundred thousand edits of a track', 'edits.mp4', async ({ make }) => {
    const edits = fullBox(
      'elst',
      0,
      0,
      u32(100_000),
      many(100_000, () => join(u32(4_000), u32(0), u32(65_536))),
    )
    return withInTracks(await make('edits.mp4', ...filmOf(10)), box('edts', edits))
  }),
  attack('four hundred thousand fragments', 'fragments.mp4', async ({ make }) => {
    const film = await make('fragments.mp4', ...filmOf(2), '-movflags', 'frag_keyframe+empty_moov')
    return join(film, again(400_000, box('moof', fullBox('mfhd', 0, 0, u32(1)))))
  }),
  attack('fragments of 2³² samples', 'fragments.mp4', async ({ make }) => {
    const film = await make('runs.mp4', ...filmOf(2), '-movflags', 'frag_keyframe+empty_moov')
    return patched(film, 'trun', 4, u32(0xffff_fff0))
  }),
  attack(
    'half a million notes',
    'notes.mkv',
    async () =>
      still(3_000, tenASecond(3), {
        info: [
          element('1254c367', element('7373', again(300_000, element('67c8', element('45a3', ascii('A')), element('4487', ascii('b')))))),
        ],
      }),
    'lesson',
  ),
  attack(
    'notes within notes',
    'notes.mkv',
    async () => {
      let nested = element('67c8', element('45a3', ascii('A')))
      for (let depth = 0; depth < 2_000; depth += 1) nested = element('67c8', nested)
      return join(await still(3_000, tenASecond(3)), element('1254c367', element('7373', nested)))
    },
    'lesson',
  ),
  attack(
    'a hundred thousand words in a tag',
    'words.mp3',
    async ({ make }) =>
      join(
        id3(times(100_000, (index) => id3Frame('TXXX', ascii(`\0${index}\0x`)))),
        await make('plain.mp3', ...soundOf(2), '-id3v2_version', '0'),
      ),
    'lesson',
  ),
  attack(
    'a hundred thousand chapters',
    'chapters.mp3',
    async ({ make }) =>
      join(
        id3(
          times(50_000, (index) => id3Frame('CHAP', ascii(`${index}\0`), u32(index), u32(index + 1), u32(0xffff_ffff), u32(0xffff_ffff))),
        ),
        await make('plain.mp3', ...soundOf(2), '-id3v2_version', '0'),
      ),
    'lesson',
  ),
]

/** Start of frame: height, then width. */
const patchedJpeg = (picture: Buffer, side: number): Buffer => {
  const copy = Buffer.from(picture)
  const at = copy.indexOf(Buffer.from('ffc0', 'hex'))
  copy.writeUInt16BE(side, at + 5)
  copy.writeUInt16BE(side, at + 7)
  return copy
}

const inSound: readonly Attack[] = [
  attack(
    'eight hours of silence',
    'silence.flac',
    ({ make }) => make('silence.flac', '-f', 'lavfi', '-i', 'anullsrc=r=8000:cl=mono', '-t', '28800', '-c:a', 'flac'),
    'patient',
  ),
  attack('eight hours of silence where two are let in', 'silence.flac', ({ make }) =>
    make('silence.flac', '-f', 'lavfi', '-i', 'anullsrc=r=8000:cl=mono', '-t', '28800', '-c:a', 'flac'),
  ),
  attack('a sample a second', 'slow.wav', async (_, random) => wav({ rate: 1, channels: 1, samples: random.bytes(600) })),
  attack('four thousand million samples a second', 'fast.wav', async (_, random) =>
    wav({ rate: 0xffff_ffff, channels: 1, samples: random.bytes(400_000) }),
  ),
  attack('two hundred and fifty channels', 'wide.wav', async (_, random) =>
    wav({ rate: 8_000, channels: 250, samples: random.bytes(500 * 16_000) }),
  ),
  attack('sixty thousand channels', 'wide.wav', async (_, random) =>
    wav({ rate: 8_000, channels: 60_000, samples: random.bytes(120_000 * 4) }),
  ),
  attack(
    'FLAC of 2³⁶ samples in a second',
    'lie.flac',
    async ({ make }) => {
      const flac = Buffer.from(await make('lie.flac', ...soundOf(1)))
      flac[21] = (flac[21] ?? 0) | 0x0f
      flac.fill(0xff, 22, 26)
      return flac
    },
    'lesson',
  ),
  attack(
    'Opus whose last page is at 2⁶²',
    'lie.ogg',
    async ({ make }) => {
      const ogg = Buffer.from(await make('lie.ogg', ...soundOf(2), '-c:a', 'libopus'))
      const at = ogg.lastIndexOf('OggS')
      ogg.set(le64(1n << 62n), at + 6)
      ogg.fill(0, at + 22, at + 26)
      ogg.set(le32(oggSum(ogg.subarray(at))), at + 22)
      return ogg
    },
    'lesson',
  ),
  attack('AVI of 2³² pictures at 2³² a second', 'lie.avi', async ({ make }) => {
    const film = await make('lie.avi', ...filmOf(2))
    const at = film.indexOf('strh') + 8
    film.set(join(le32(1), le32(0xffff_ffff), le32(0), le32(0xffff_ffff)), at + 20)
    return film
  }),
  attack('MP3 of nothing but beginnings', 'sync.mp3', async () => join(again(500_000, u8(0xff, 0xfb, 0x90, 0x64))), 'lesson'),
  attack('a stream of packets without a table', 'empty.ts', async () => again(100_000, join(u8(0x47, 0x1f, 0xff, 0x10), zeros(184)))),
]

const oggSum = (page: Uint8Array): number =>
  page.reduce((sum, byte) => {
    let next = (sum ^ (byte << 24)) >>> 0
    for (let bit = 0; bit < 8; bit += 1) next = (next & 0x8000_0000 ? (next << 1) ^ 0x04c1_1db7 : next << 1) >>> 0
    return next
  }, 0)

const inOutput: readonly Attack[] = [
  attack(
    'noise, of which everything is kept',
    'noise.mkv',
    ({ make }) =>
      make(
        'noise.mkv',
        ...[
          '-f',
          'rawvideo',
          '-s',
          '1280x720',
          '-pix_fmt',
          'yuv420p',
          '-r',
          '25',
          '-t',
          '2',
          '-i',
          '/dev/urandom',
          '-c:v',
          'mjpeg',
          '-q:v',
          '4',
        ],
      ),
    'greedy',
  ),
  attack(
    'thumbnails as large as they may be',
    'sprite.mkv',
    () =>
      still(
        1_000_000,
        times(100, (index) => index * 10_000),
        { width: 1_280, height: 720 },
      ),
    'greedy',
  ),
  attack(
    'a preview of two pictures ten minutes apart',
    'preview.mkv',
    () => still(600_000, [0, 599_000], { width: 1_280, height: 720 }),
    'greedy',
  ),
  attack('a gap of eleven days in a film that is enlarged', 'gap.mkv', () => still(5_000, [...tenASecond(5), 1_000_000_000]), 'greedy'),
]

export const attacks: readonly Attack[] = [...inTime, ...inSize, ...inSound, ...inOutput]
