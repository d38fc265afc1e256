import { type AvInput, runFfmpeg } from './run.ts'
import type { ProgramRun } from './program.ts'
import type { Probed } from './probe-reply.ts'

/** What of a file is decoded. */
type Tracks = Pick<Probed, 'picture' | 'sound'>

export interface Sampled {
  /** Frames of picture and of sound that came out. */
  readonly pictures: number
  readonly sounds: number
  /** Where the last of sound ends, counted from where the part begins; 0 where none came. */
  readonly soundEndSeconds: number
  /** Something was wrong with the bytes. */
  readonly isDamaged: boolean
  readonly ranOut: boolean
  readonly lacksMemory: boolean
}

/** Streams without lengths in them: junk between frames is passed over by every player, and a seek lands in the middle of a frame. */
const loose: ReadonlySet<string> = new Set(['audio/mpeg', 'video/mp2t', 'video/mpeg'])
/** Of a loose one, more broken frames than this are damage. */
const mostBrokenShare = '0.2'

/** What demuxers say and then make do with. Only patterns are looked for: the rest of a line may be the file's own words. */
const damages = /File ended prematurely|partial file|CRC mismatch|exceeds containing master|as first byte of an EBML|Invalid track number/

/**
 * Decodes from the beginning, or from so many seconds on, without keeping anything. From the beginning every complaint of a decoder ends it; after
 * a seek only what it could not decode at all does, since what a picture refers to may lie before.
 *
 * @throws RindleError `program_missing`, `peer_outdated`, `decoder_killed`
 */
export const decodeSample = async (
  input: AvInput,
  tracks: Tracks,
  part: { readonly fromSeconds: number; readonly lengthSeconds: number | null; readonly timeoutMs: number },
): Promise<Sampled> => {
  const { fromSeconds, lengthSeconds, timeoutMs } = part
  const isLoose = loose.has(input.contentType)
  const strict = isLoose ? ['-max_error_rate', mostBrokenShare] : ['-xerror', ...(fromSeconds > 0 ? [] : ['-err_detect', 'explode'])]
  const options = [
    ...strict,
    ...(fromSeconds > 0 ? ['-ss', String(fromSeconds), '-noaccurate_seek'] : []),
    ...(lengthSeconds === null ? [] : ['-t', String(lengthSeconds)]),
    '-noautorotate',
  ]
  const run = await runFfmpeg({ ...input, options }, [...outputOf(tracks), '-f', 'framecrc', 'pipe:1'], { timeoutMs, maxOutputBytes })
  return sampledFrom(run, tracks)
}

/** A line for each frame: ten seconds of 240 frames each take a tenth of it. */
const maxOutputBytes = 2 * 1024 * 1024

const outputOf = ({ picture, sound }: Tracks): string[] => [
  ...(picture ? ['-map', `0:${picture.index}`, '-c:v', 'wrapped_avframe', '-fps_mode', 'passthrough'] : []),
  ...(sound ? ['-map', `0:${sound.index}`, '-c:a', 'pcm_s16le'] : []),
  ...['-sn', '-dn', '-max_muxing_queue_size', '8192'],
]

const sampledFrom = (run: ProgramRun, { picture, sound }: Tracks): Sampled => {
  const text = run.stdout.toString('latin1')
  const soundStream = picture ? 1 : 0
  const pictures = picture ? framesOf(text, 0) : []
  const sounds = sound ? framesOf(text, soundStream) : []
  const [, above, below] = new RegExp(`^#tb ${soundStream}: (\\d{1,9})/(\\d{1,9})$`, 'm').exec(text) ?? []
  return {
    ...{ pictures: pictures.length, sounds: sounds.length },
    soundEndSeconds: (Math.max(0, ...sounds) * Number(above ?? 0)) / Number(below ?? 1),
    isDamaged: (run.status !== 0 && !run.ranOut && !run.wroteTooMuch) || damages.test(run.complaints),
    ranOut: run.ranOut,
    lacksMemory: lacksMemory(run),
  }
}

/** The end of every frame of one output stream: `0,  dts,  pts,  duration,  size, checksum`. */
const framesOf = (text: string, stream: number): number[] =>
  [...text.matchAll(new RegExp(`^${stream}, +-?\\d+, +(-?\\d{1,15}), +(\\d{1,15}),`, 'gm'))].map(
    ([, at, long]) => Number(at) + Number(long),
  )

/** Whether a limit on memory, not the file, is what ended it. */
export const lacksMemory = (run: ProgramRun): boolean =>
  run.status !== 0 && /Cannot allocate memory|malloc of size \d+ failed/.test(run.complaints)

/**
 * How long the tracks are, by reading all of them without decoding: for what tells no length, or a guess.
 *
 * @returns null where nothing is to be read; when it ran out of time, what was read until then counts.
 * @throws RindleError `program_missing`, `peer_outdated`, `decoder_killed`
 */
export const measureLength = async (
  input: AvInput,
  { picture, sound }: Tracks,
  timeoutMs: number,
): Promise<{ readonly durationMs: number | null; readonly isDamaged: boolean; readonly ranOut: boolean }> => {
  const maps = [picture, sound].flatMap((track) => (track ? ['-map', `0:${track.index}`] : []))
  const output = [...maps, '-sn', '-dn', '-c', 'copy', '-nostats', '-progress', 'pipe:1', '-f', 'null', '-']
  const run = await runFfmpeg(input, output, { timeoutMs })
  const lengths = [...run.stdout.toString('latin1').matchAll(/^out_time_us=(\d{1,15})$/gm)].map((found) => Number(found[1]) / 1000)
  const longest = Math.round(Math.max(0, ...lengths))
  const isDamaged = (run.status !== 0 && !run.ranOut) || damages.test(run.complaints)
  return { durationMs: longest > 0 ? longest : null, isDamaged, ranOut: run.ranOut }
}
