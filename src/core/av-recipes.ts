import type { AudioRecipe, Loudness, PosterRecipe, PreviewRecipe, Recipe, StripRecipe, VideoRecipe, WaveformRecipe } from './recipe.ts'
import { isWhole } from './shape.ts'
import { suggestion, unknownKeys } from './suggestion.ts'

/** Both with a rate factor of 23 and sound of 128 kbit/s: 1280 × 720 in at most 2,500 kbit/s, and 854 × 480 in at most 1,200. */
export type VideoPreset = 'web_720p' | 'web_480p'
/** AAC in `m4a`, or MP3, each of 128 kbit/s. */
export type AudioPreset = 'm4a_128k' | 'mp3_128k'

/** What `video` takes; see `VideoRecipe` for what each says. What is given besides a preset takes the place of what the preset says. */
export interface VideoOptions {
  /** Default `web_720p`. */
  readonly preset?: VideoPreset
  readonly width?: number
  readonly height?: number
  readonly crf?: number
  readonly maxBitrateKbps?: number
  readonly audioBitrateKbps?: number
}

/** What `audio` takes; see `AudioRecipe`. */
export interface AudioOptions {
  /** Default `m4a_128k`. */
  readonly preset?: AudioPreset
  readonly bitrateKbps?: number
  readonly channels?: 1 | 2 | null
  readonly loudness?: Loudness
}

export type WaveformOptions = Partial<Omit<WaveformRecipe, 'kind'>>
export type PosterOptions = Partial<Omit<PosterRecipe, 'kind'>>
export type StripOptions = Partial<Omit<StripRecipe, 'kind'>>
export type PreviewOptions = Partial<Omit<PreviewRecipe, 'kind'>>

const videoPresets: Readonly<Record<VideoPreset, Omit<VideoRecipe, 'kind'>>> = {
  web_720p: { width: 1280, height: 720, crf: 23, maxBitrateKbps: 2_500, audioBitrateKbps: 128 },
  web_480p: { width: 854, height: 480, crf: 23, maxBitrateKbps: 1_200, audioBitrateKbps: 128 },
}

const audioPresets: Readonly<Record<AudioPreset, Pick<AudioRecipe, 'format' | 'bitrateKbps'>>> = {
  m4a_128k: { format: 'm4a', bitrateKbps: 128 },
  mp3_128k: { format: 'mp3', bitrateKbps: 128 },
}

/**
 * A recipe for a film that plays everywhere: `video()` fits into 1280 × 720, `video({ preset: 'web_480p' })` into 854 × 480, and
 * `video({ width: 1920, height: 1080, maxBitrateKbps: 5_000 })` as it says. Nothing is checked here: `defineProfile` reports every problem
 * of every recipe at once.
 */
export const video = ({ preset = 'web_720p', ...own }: VideoOptions = {}): VideoRecipe =>
  Object.freeze({ ...presetIn(videoPresets, preset, 'web_720p'), ...given(own), kind: 'video' })

/** A recipe for the sound alone: `audio({ preset: 'mp3_128k', loudness: 'two-pass' })`. As it is with `video`, nothing is checked here. */
export const audio = ({ preset = 'm4a_128k', ...own }: AudioOptions = {}): AudioRecipe =>
  Object.freeze({ channels: null, loudness: 'keep', ...presetIn(audioPresets, preset, 'm4a_128k'), ...given(own), kind: 'audio' })

/** A recipe for a waveform of a thousand pairs: `waveform({ length: 500 })` has fewer. */
export const waveform = (options: WaveformOptions = {}): WaveformRecipe =>
  Object.freeze({ length: 1_000, ...given(options), kind: 'waveform' })

/** A recipe for the picture that a player shows first: `poster({ at: 12.5 })` is the one after twelve and a half seconds. */
export const poster = (options: PosterOptions = {}): PosterRecipe =>
  Object.freeze({ at: 'scene', width: 1_280, height: 1_280, format: 'jpeg', quality: 80, ...given(options), kind: 'poster' })

/** A recipe for scrub thumbnails: `strip()` has at most a hundred of them, ten in a row. */
export const strip = (options: StripOptions = {}): StripRecipe =>
  Object.freeze({ width: 160, height: 160, everySeconds: null, columns: 10, quality: 70, ...given(options), kind: 'strip' })

/** A recipe for a small film without sound that moves in a page of many: `preview({ seconds: 2 })`. */
export const preview = (options: PreviewOptions = {}): PreviewRecipe =>
  Object.freeze({ width: 320, height: 320, seconds: 3, framesPerSecond: 10, quality: 60, ...given(options), kind: 'preview' })

/** A name that is no preset is kept, so that the problems of the profile can speak of it. */
const presetIn = <P extends string, R>(presets: Readonly<Record<P, R>>, preset: P, standard: P): R =>
  Object.hasOwn(presets, preset) ? presets[preset] : { ...presets[standard], preset }

/** Options that were written out as `undefined` were not given. */
const given = <O extends object>(options: O): O => {
  const said = { ...options }
  for (const [key, value] of Object.entries(said)) if (value === undefined) Reflect.deleteProperty(said, key)
  return said
}

/** What is wrong with a recipe for audio or video, each problem beginning with `path`. */
export const problemsOfAvRecipe = (wanted: Exclude<Recipe, { kind: 'image' }>, path: string): string[] => {
  const rules: Readonly<Record<string, Rule>> = rulesOf[wanted.kind]
  const problems = unknownKeys(wanted, ['kind', 'preset', ...Object.keys(rules)], path)
  if ('preset' in wanted) problems.push(`${path}.preset ${oneOf(presetsOf(wanted.kind))(wanted.preset)}`)
  for (const [key, rule] of Object.entries(rules)) {
    const problem = rule(Reflect.get(wanted, key))
    if (problem !== null) problems.push(`${path}.${key} ${problem}`)
  }
  return problems
}

/** What is wrong with a value; null when nothing is. */
type Rule = (value: unknown) => string | null

const whole =
  (least: number, most: number, unit: string): Rule =>
  (value) =>
    isWhole(value, least, most) ? null : `must be a whole number of ${unit} from ${least} to ${most}`

const between =
  (least: number, most: number, unit: string): Rule =>
  (value) =>
    isNumber(value, least, most) ? null : `must be a number of ${unit} from ${least} to ${most}`

const oneOf =
  (allowed: readonly (string | number | null)[]): Rule =>
  (value) =>
    allowed.some((one) => one === value)
      ? null
      : `must be ${allowed.map(String).join(', ')}${typeof value === 'string' ? suggestion(value, allowed.map(String)) : ''}`

const orElse =
  (isFine: (value: unknown) => boolean, words: string, rule: Rule): Rule =>
  (value) => {
    if (isFine(value)) return null
    const problem = rule(value)
    return problem && `${problem}, or ${words}`
  }

const isNumber = (value: unknown, least: number, most: number): boolean => typeof value === 'number' && value >= least && value <= most
const isNull = (value: unknown): boolean => value === null

const side = whole(2, 7_680, 'pixels')
const smallSide = whole(2, 1_280, 'pixels')
const quality = whole(1, 100, 'hundredths')
const kilobits = whole(8, 200_000, 'kilobits a second')

const rulesOf: { readonly [K in Exclude<Recipe['kind'], 'image'>]: Readonly<Record<string, Rule>> } = {
  video: {
    width: side,
    height: side,
    crf: whole(1, 51, 'steps'),
    maxBitrateKbps: kilobits,
    audioBitrateKbps: whole(32, 512, 'kilobits a second'),
  },
  audio: {
    format: oneOf(['m4a', 'mp3']),
    bitrateKbps: whole(32, 320, 'kilobits a second'),
    channels: oneOf([1, 2, null]),
    loudness: oneOf(['keep', 'one-pass', 'two-pass']),
  },
  waveform: { length: whole(10, 10_000, 'pairs') },
  poster: {
    at: orElse((value) => value === 'scene' || value === 'first', 'scene or first', between(0, 86_400, 'seconds')),
    ...{ width: side, height: side, format: oneOf(['jpeg', 'webp']), quality },
  },
  strip: {
    ...{ width: smallSide, height: smallSide, columns: whole(1, 100, 'frames'), quality },
    everySeconds: orElse(isNull, 'null', between(0.1, 3_600, 'seconds')),
  },
  preview: {
    ...{ width: smallSide, height: smallSide, quality },
    ...{ seconds: between(0.5, 30, 'seconds'), framesPerSecond: whole(1, 30, 'frames a second') },
  },
}

const presetsOf = (kind: Recipe['kind']): readonly string[] =>
  Object.keys(kind === 'video' ? videoPresets : kind === 'audio' ? audioPresets : {})
