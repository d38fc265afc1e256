import type { AudioRecipe, PreviewRecipe, StripRecipe, VideoRecipe } from '../../../core/recipe.ts'
import { mostStripFrames, type StripGrid } from '../../../core/variant-facts.ts'
import { areaOf, fitInside, jpegArguments, scaled, type Size, toneMapped, turnedFor } from './scaling.ts'
import type { Picture, Sound } from './probe-reply.ts'

/** A file whose tracks were probed. */
export interface Tracks {
  readonly picture: Picture | null
  readonly sound: Sound | null
  readonly durationMs: number
}

/** One file that a run of ffmpeg is to write. */
export interface Wanted {
  readonly recipe: VideoRecipe | AudioRecipe | StripRecipe | PreviewRecipe
  readonly path: string
  /** The filter that a first pass over the sound came to; null where there was none. */
  readonly loudness: string | null
}

/** What a player of the web is asked to show in a second, at most. */
const mostFramesPerSecond = 60
/** Sound besides is asked for at this rate, which every player takes. */
const samplesPerSecond = 48_000
/** Mono and coarse: a waveform is drawn a thousand pixels wide. */
const waveformSamplesPerSecond = 8_000
const mostTiles = 100
const longestSpriteSide = 16_000
/** Phones show no larger picture, and the encoder of JPEG takes none much larger. */
const mostSpritePixels = 32_000_000

/**
 * What stands after the input for all that is wanted at once: a graph in which the film is decoded, turned, brought to the largest size and to
 * the tones of a screen once, and split from there; then each output with its own encoder. Nothing that describes the file goes with it.
 */
export const encodeArguments = (tracks: Tracks, wanted: readonly Wanted[], hasWaveform: boolean): string[] => {
  const { picture, sound } = tracks
  const seen = picture ? wanted.flatMap((one, index) => branchOf(picture, tracks.durationMs, one, index) ?? []) : []
  return [
    ...(picture && seen.length > 0 ? ['-filter_complex', graphOf(picture, tracks.durationMs, seen)] : []),
    ...wanted.flatMap((one, index) => outputOf(tracks, one, index)),
    ...(hasWaveform && sound ? waveformOutput(sound) : []),
  ]
}

/** How large a film comes out. */
export const sizeOfVideo = (shown: Size, recipe: VideoRecipe): Size => fitInside(shown, turnedFor(shown, recipe))

/** How thumbnails of a film of such a length are laid out. A picture that would be larger than any decoder takes has fewer of them. */
export const gridOf = (shown: Size, durationMs: number, recipe: StripRecipe): StripGrid => {
  const tile = fitInside(shown, recipe)
  const columns = Math.min(recipe.columns, Math.floor(longestSpriteSide / tile.width))
  const tallest = Math.min(longestSpriteSide, mostSpritePixels / (columns * tile.width))
  const most = Math.min(mostStripFrames, columns * Math.floor(tallest / tile.height))
  const askedMs = recipe.everySeconds === null ? Math.max(1_000, Math.ceil(durationMs / mostTiles)) : Math.round(recipe.everySeconds * 1000)
  const intervalMs = Math.max(askedMs, Math.ceil(durationMs / most))
  const count = Math.max(1, Math.ceil(durationMs / intervalMs))
  return {
    tileWidth: tile.width,
    tileHeight: tile.height,
    columns: Math.min(columns, count),
    rows: Math.ceil(count / columns),
    count,
    intervalMs,
  }
}

/** What is made from the pictures of a film, besides the sound that goes with it. */
interface Branch {
  readonly label: string
  readonly size: Size
  /** Filters that leave pictures out, before they are scaled, and those that arrange what is left. */
  readonly before: readonly string[]
  readonly after: readonly string[]
}

const branchOf = (picture: Picture, durationMs: number, { recipe }: Wanted, index: number): Branch | null => {
  const label = `out${index}`
  switch (recipe.kind) {
    case 'audio':
      return null
    case 'video':
      return conforms(picture, recipe) ? null : { label, size: sizeOfVideo(picture, recipe), before: [], after: [] }
    case 'strip': {
      const { tileWidth: width, tileHeight: height, columns, rows, intervalMs } = gridOf(picture, durationMs, recipe)
      return {
        label,
        size: { width, height },
        before: steadily(durationMs, `1000/${intervalMs}:round=up:start_time=0`),
        after: [`tile=${columns}x${rows}`, ...announced],
      }
    }
    case 'preview':
      return { label, size: fitInside(picture, recipe), before: momentsOf(recipe, durationMs), after: [] }
  }
}

/** What comes later than this is none of a film or a sound of such a length, which may have been counted roughly. */
export const latestSeconds = (durationMs: number): number => 5 + (durationMs / 1000) * 1.05

/**
 * Pictures at a steady rate. A file may say that it lasts a second and have a picture in it that is shown in thirty years, or until then: all that is
 * to be seen meanwhile would be made at once, and held in memory.
 */
const steadily = (durationMs: number, rate: string): string[] => [
  `setpts='if(isnan(PTS),PTS,min(PTS,${latestSeconds(durationMs).toFixed(3)}/TB))'`,
  `fps=${rate}`,
]

/** Of four moments, each from the middle of its quarter, a quarter of what is asked for; of what is shorter, the beginning. */
const momentsOf = ({ seconds, framesPerSecond }: PreviewRecipe, durationMs: number): string[] => {
  const [quarter, each] = [durationMs / 4_000, seconds / 4]
  const start = (quarter - each) / 2
  const chosen = start <= 0 ? `lt(t,${seconds})` : `between(mod(t,${quarter}),${start},${start + each})`
  return [...steadily(durationMs, String(framesPerSecond)), `select='${chosen}'`, `setpts=N/(${framesPerSecond}*TB)`]
}

/**
 * ffmpeg tells nothing of how far it is before each output has a picture, and the strip has its only one at the end. A black one, which that takes
 * the place of, goes ahead of it; both are short, or the film would be taken for as far as the strip lasts.
 */
const announced = ['tpad=start=1', 'settb=1/1000', 'setpts=N']
const announcedOutput = ['-fps_mode', 'vfr', '-r', '1000', '-frames:v', '2']

const graphOf = (picture: Picture, durationMs: number, branches: readonly Branch[]): string => {
  const sizes = branches.map(({ size }) => size).toSorted((one, other) => areaOf(other) - areaOf(one))
  const largest = sizes[0] ?? picture
  const isFast = picture.framesPerSecond !== null && picture.framesPerSecond > mostFramesPerSecond
  const shared = [
    ...(isFast ? steadily(durationMs, String(mostFramesPerSecond)) : []),
    ...[...scaled(largest), ...toneMapped(picture), 'format=yuv420p', `split=${branches.length}`],
  ]
  const chains = branches.map(({ label, size, before, after }) => {
    const filters = [...before, ...(areaOf(size) === areaOf(largest) ? [] : scaled(size)), ...after]
    return `[${label}_in]${filters.length > 0 ? filters.join(',') : 'null'}[${label}]`
  })
  return [`[0:${picture.index}]${shared.join(',')}${branches.map(({ label }) => `[${label}_in]`).join('')}`, ...chains].join(';')
}

/** What is a film for players already is copied into a new file, its index in front: encoding again takes time and sharpness. */
const conforms = (picture: Picture, recipe: VideoRecipe): boolean => {
  const size = sizeOfVideo(picture, recipe)
  return (
    picture.codec === 'h264' &&
    picture.pixelFormat === 'yuv420p' &&
    picture.isSquare &&
    picture.rotation === 0 &&
    !picture.isHdr &&
    size.width === picture.width &&
    size.height === picture.height &&
    (picture.framesPerSecond ?? 0) <= mostFramesPerSecond &&
    picture.bitsPerSecond !== null &&
    picture.bitsPerSecond <= recipe.maxBitrateKbps * 1_000
  )
}

/** What no file of ours says of where it comes from. */
const anonymous = [
  '-map_metadata',
  '-1',
  '-map_chapters',
  '-1',
  '-sn',
  '-dn',
  '-fflags',
  '+bitexact',
  '-flags:v',
  '+bitexact',
  '-flags:a',
  '+bitexact',
]

const outputOf = ({ picture, sound }: Tracks, { recipe, path, loudness }: Wanted, index: number): string[] => {
  const video = ['-map', `[out${index}]`]
  const audio = sound ? ['-map', `0:${sound.index}`] : []
  const file = `file:${path}`
  switch (recipe.kind) {
    case 'video':
      return [
        ...(picture && conforms(picture, recipe) ? ['-map', `0:${picture.index}`, ...copied] : [...video, ...encodedAs(recipe)]),
        ...(sound ? [...audio, ...soundOf(sound, recipe.audioBitrateKbps)] : ['-an']),
        ...[...anonymous, '-movflags', '+faststart', '-f', 'mp4', file],
      ]
    case 'audio':
      return [
        ...[...audio, '-vn', '-c:a', recipe.format === 'mp3' ? 'libmp3lame' : 'aac', '-b:a', `${recipe.bitrateKbps}k`],
        ...channelsOf(sound, recipe.channels),
        ...(recipe.loudness === 'keep' ? [] : ['-af', loudness ?? loudnessFilter, '-ar', String(samplesPerSecond)]),
        ...anonymous,
        ...(recipe.format === 'mp3' ? ['-id3v2_version', '0', '-f', 'mp3'] : ['-movflags', '+faststart', '-f', 'ipod']),
        file,
      ]
    case 'strip':
      return [...video, '-an', ...announcedOutput, ...jpegArguments(recipe.quality), ...anonymous, '-f', 'image2', '-update', '1', file]
    case 'preview':
      return [...video, '-an', '-c:v', 'libwebp_anim', '-quality', String(recipe.quality), '-loop', '0', ...anonymous, '-f', 'webp', file]
  }
}

/**
 * Cameras write between the pictures what they like, as supplemental information or in units of types that nobody has named (H.264, table 7-1):
 * what goes along are pictures, what they are decoded by, and where they end.
 */
const copied = ['-c:v', 'copy', '-bsf:v', 'filter_units=pass_types=1-5|7-11|13']

/** Pictures keep their times: at a steady rate those that stand would be encoded again and again. */
const encodedAs = ({ crf, maxBitrateKbps }: VideoRecipe): string[] => [
  ...['-fps_mode', 'vfr'],
  ...['-c:v', 'libx264', '-preset', 'medium', '-profile:v', 'high', '-crf', String(crf)],
  ...['-maxrate', `${maxBitrateKbps}k`, '-bufsize', `${maxBitrateKbps * 2}k`],
]

/** Sound that fits is copied as it is; more than two channels are mixed down. */
const soundOf = (sound: Sound, bitrateKbps: number): string[] =>
  fits(sound, bitrateKbps)
    ? ['-c:a', 'copy']
    : [
        '-c:a',
        'aac',
        '-b:a',
        `${bitrateKbps}k`,
        ...channelsOf(sound, null),
        ...(isUsualRate(sound) ? [] : ['-ar', String(samplesPerSecond)]),
      ]

const fits = ({ codec, profile, channels, bitsPerSecond }: Sound, bitrateKbps: number): boolean =>
  codec === 'aac' &&
  profile === 'LC' &&
  (channels === 1 || channels === 2) &&
  bitsPerSecond !== null &&
  bitsPerSecond <= bitrateKbps * 1_250

const isUsualRate = ({ samplesPerSecond: rate }: Sound): boolean => rate === 44_100 || rate === 48_000

const channelsOf = (sound: Sound | null, wanted: 1 | 2 | null): string[] => {
  const channels = wanted ?? ((sound?.channels ?? 2) > 2 ? 2 : null)
  return channels === null ? [] : ['-ac', String(channels)]
}

/** As broadcasters and platforms of the web agree on, in EBU R128's terms. */
export const loudnessFilter = 'loudnorm=I=-16:TP=-1.5:LRA=11'

const waveformOutput = (sound: Sound): string[] => [
  ...['-map', `0:${sound.index}`, '-vn', '-ac', '1', '-ar', String(waveformSamplesPerSecond), '-c:a', 'pcm_s16le', '-f', 's16le', 'pipe:3'],
]
