import { execFile } from 'node:child_process'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { hasProgram } from './tools.ts'

const run = promisify(execFile)

/** A film or a sound as phones, editors and mischief make it, with what has to become of it. */
export interface OddFilm {
  readonly label: string
  readonly filename: string
  /** By code; `accepted` for what is served. */
  readonly expected: string
  /** What its row says, by column. */
  readonly tells: Readonly<Record<string, string | number | boolean | null>>
  bytes(): Promise<Uint8Array>
}

interface Recipe {
  readonly label: string
  readonly extension: string
  readonly expected?: string
  readonly tells?: OddFilm['tells']
  readonly args: readonly string[]
  /** What is done to the bytes then. */
  readonly spoil?: (bytes: Buffer) => Buffer
}

const picture = (more: string, seconds = 1): string[] => ['-f', 'lavfi', '-i', `testsrc2=size=96x64:${more}:duration=${seconds}`]
const sound = (seconds = 1): string[] => ['-f', 'lavfi', '-i', `sine=frequency=440:sample_rate=8000:duration=${seconds}`]
const h264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p']
const cover = ['-f', 'lavfi', '-i', 'color=size=64x64:rate=1:duration=1', '-c:v', 'mjpeg', '-disposition:v', 'attached_pic']
const film = { video_codec: 'h264', rotation: 0, frames_per_second: 10, width: 96, height: 64, has_video_track: true } as const
const song = { kind: 'audio', video_codec: null, rotation: null, frames_per_second: null, width: null, has_video_track: false } as const

/** Longer than the house takes. */
const tooLongSeconds = 61
const everySoundTwice = Array.from({ length: 33 }, () => ['-map', '0']).flat()
const lastBytes = 4_000

/** The first track's matrix, as a phone that is held another way writes it. */
const turnedBy =
  (a: number, b: number, c: number, d: number) =>
  (bytes: Buffer): Buffer => {
    const at = bytes.indexOf('tkhd') + 44
    for (const [index, value] of [a, b, 0, c, d].entries()) bytes.writeInt32BE(value * 65_536, at + index * 4)
    return bytes
  }

const recipes: readonly Recipe[] = [
  {
    ...{ label: 'a film turned by a phone', extension: 'mp4', args: [...picture('rate=10'), ...h264], spoil: turnedBy(0, 1, -1, 0) },
    tells: { ...film, rotation: 90, width: 64, height: 96, has_audio_track: false, audio_codec: null },
  },
  {
    ...{ label: 'a film on its head', extension: 'mov', args: [...picture('rate=10'), ...sound(), ...h264], spoil: turnedBy(-1, 0, 0, -1) },
    tells: { ...film, rotation: 180, audio_codec: 'aac', has_audio_track: true },
  },
  {
    ...{ label: 'a film without sound', extension: 'webm', args: [...picture('rate=10'), '-c:v', 'libvpx', '-deadline', 'realtime'] },
    tells: { ...film, video_codec: 'vp8', audio_codec: null, has_audio_track: false },
  },
  {
    ...{ label: 'a film of oblong samples', extension: 'mp4', args: [...picture('rate=10'), ...h264, '-vf', 'setsar=3/2'] },
    tells: { ...film, width: 144 },
  },
  {
    label: 'slow motion of a phone',
    extension: 'mp4',
    args: [...picture('rate=960'), ...h264],
    tells: { ...film, frames_per_second: 960 },
  },
  {
    ...{ label: 'a song with a cover', extension: 'm4a', args: [...sound(), ...cover, '-map', '0', '-map', '1', '-c:a', 'aac'] },
    tells: { ...song, audio_codec: 'aac' },
  },
  {
    ...{ label: 'a song with a cover', extension: 'mp3', args: [...sound(), ...cover, '-map', '0', '-map', '1'] },
    tells: { ...song, audio_codec: 'mp3' },
  },
  { label: 'a film that races', extension: 'mp4', expected: 'max_frame_rate_exceeded', args: [...picture('rate=2000'), ...h264] },
  {
    ...{ label: 'a film that races and says it does not', extension: 'webm', expected: 'max_frame_rate_exceeded' },
    args: [...picture('rate=5000'), '-c:v', 'libvpx', '-deadline', 'realtime', '-enc_time_base', '1:10000'],
  },
  { label: 'a song in 33 voices', extension: 'm4a', expected: 'max_streams_exceeded', args: [...sound(), ...everySoundTwice] },
  { label: 'a song too long', extension: 'flac', expected: 'max_duration_exceeded', args: sound(tooLongSeconds) },
  {
    label: 'a film by a codec that nobody opens',
    extension: 'mov',
    expected: 'codec_not_allowed',
    args: [...picture('rate=10'), '-c:v', 'qtrle'],
  },
  { label: 'a film of another such', extension: 'mov', expected: 'codec_not_allowed', args: [...picture('rate=10'), '-c:v', 'cinepak'] },
  {
    ...{ label: 'a film with garbage at its end', extension: 'mp4', expected: 'decode_failed' },
    args: [...picture('rate=25', 8), ...h264, '-movflags', 'faststart'],
    spoil: (bytes) => {
      for (let at = bytes.length - lastBytes; at < bytes.length; at += 7) bytes[at] = 0xff - (bytes[at] ?? 0)
      return bytes
    },
  },
  {
    ...{ label: 'a film without its end', extension: 'mp4', expected: 'decode_failed' },
    args: [...picture('rate=25', 8), ...h264, '-movflags', 'faststart'],
    spoil: (bytes) => bytes.subarray(0, bytes.length - lastBytes),
  },
]

/** None where ffmpeg is not installed. */
export const oddFilmsIn = (folder: string): OddFilm[] =>
  hasProgram('ffmpeg')
    ? recipes.map(({ label, extension, expected = 'accepted', tells = {}, args, spoil = (bytes) => bytes }, index) => ({
        ...{ label: `${label} (${extension})`, filename: `film.${extension}`, expected, tells },
        async bytes() {
          await mkdir(folder, { recursive: true })
          const path = join(folder, `odd${index}.${extension}`)
          await run('ffmpeg', ['-nostdin', '-v', 'error', '-y', ...args, '-bitexact', path], { timeout: 120_000 })
          return spoil(await readFile(path))
        },
      }))
    : []
