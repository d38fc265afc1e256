import type { Size } from './scaling.ts'

/** What is taken from the answer of ffprobe. Width and height are as displayed. */
export interface Probed {
  /** Of every sort, cover art and data included. */
  readonly streams: number
  /** The largest that the container or a track claims; null when none does. */
  readonly durationMs: number | null
  /** The first moving picture; cover art is none. */
  readonly picture: Picture | null
  /** The first track of sound whose codec has a name. */
  readonly sound: Sound | null
  readonly hasSound: boolean
  /** Of all pictures and sounds whose codec has a name. */
  readonly codecs: readonly string[]
  /** Also when `picture` is null, because it tells no size. */
  readonly hasPicture: boolean
  /** Files that travel in the container, other than cover art. */
  readonly attachments: number
}

export interface Picture {
  readonly index: number
  /** Null when nothing here knows it. */
  readonly codec: string | null
  readonly width: number
  readonly height: number
  /** The larger of what is stored and what is shown, for limits. */
  readonly sidePixels: number
  readonly pixels: number
  /** Null where it cannot be told. */
  readonly framesPerSecond: number | null
  /** Degrees that a player turns it clockwise: 0, 90, 180 or 270. */
  readonly rotation: number
  /** Its samples are as wide as high, or said to be nothing else. */
  readonly isSquare: boolean
  /** As ffmpeg names it: `yuv420p`. */
  readonly pixelFormat: string | null
  /** PQ or HLG: brighter than what a page shows, until its tones are mapped. */
  readonly isHdr: boolean
  readonly bitsPerSecond: number | null
}

export interface Sound {
  readonly index: number
  readonly codec: string
  readonly durationMs: number | null
  readonly channels: number | null
  readonly samplesPerSecond: number | null
  readonly bitsPerSecond: number | null
  /** Of the codec: `LC`. */
  readonly profile: string | null
}

/** To be asked of ffprobe, so that `probedFrom` understands what it says. */
export const probeArguments = [
  '-show_entries',
  [
    'format=nb_streams,duration',
    [
      'stream=index,codec_type,codec_name,width,height,coded_width,coded_height,sample_aspect_ratio,avg_frame_rate,duration',
      ...['pix_fmt', 'color_transfer', 'bit_rate', 'channels', 'sample_rate', 'profile'],
    ].join(','),
    ...['stream_disposition=attached_pic,timed_thumbnails', 'stream_tags=rotate,DURATION', 'stream_side_data=rotation'],
  ].join(':'),
  ...['-of', 'json=c=1'],
] as const

/** Reads ffprobe's JSON field by field: numbers and names in it come from the file, and may be anything. @returns null when it is no sense */
export const probedFrom = (json: string): Probed | null => {
  const answer = parsed(json)
  const listed = isFields(answer) ? answer['streams'] : undefined
  if (!isFields(answer) || !Array.isArray(listed)) return null
  const streams = listed.filter(isFields)
  const format = isFields(answer['format']) ? answer['format'] : {}
  const pictures = streams.filter((one) => one['codec_type'] === 'video' && !isCover(one))
  const sounds = streams.filter((one) => one['codec_type'] === 'audio')
  const lengths = [format, ...pictures, ...sounds].map(durationOf).filter((ms) => ms !== null)
  return {
    streams: Math.max(streams.length, wholeOf(format['nb_streams']) ?? 0),
    durationMs: lengths.length > 0 ? Math.max(...lengths) : null,
    picture: firstOf(pictures, pictureOf),
    sound: firstOf(sounds, soundOf),
    hasSound: sounds.length > 0,
    codecs: [...pictures, ...sounds].flatMap((one) => codecOf(one) ?? []),
    hasPicture: pictures.length > 0,
    attachments: streams.filter((one) => one['codec_type'] === 'attachment').length,
  }
}

type Fields = Readonly<Record<string, unknown>>

const firstOf = <T>(streams: readonly Fields[], read: (stream: Fields) => T | null): T | null => {
  for (const stream of streams) {
    const found = read(stream)
    if (found) return found
  }
  return null
}

/** A picture that is shown beside sound, or small ones along a film: neither is a track of its own. */
const isCover = ({ disposition }: Fields): boolean =>
  isFields(disposition) && (disposition['attached_pic'] === 1 || disposition['timed_thumbnails'] === 1)

const pictureOf = (stream: Fields): Picture | null => {
  const [index, width, height] = [wholeOf(stream['index']), sizeOf(stream['width']), sizeOf(stream['height'])]
  if (index === null || width === null || height === null) return null
  const stored = {
    width: Math.max(width, sizeOf(stream['coded_width']) ?? 0),
    height: Math.max(height, sizeOf(stream['coded_height']) ?? 0),
  }
  const upright = stretched({ width, height }, stream['sample_aspect_ratio'])
  const rotation = ((Math.round(turnOf(stream) / 90) % 4) + 4) % 4
  const shown = turned(upright, rotation)
  const [avgFrames, avgSeconds] = fractionOf(stream['avg_frame_rate']) ?? [0, 0]
  return {
    ...{ index, codec: codecOf(stream), ...shown },
    sidePixels: Math.max(stored.width, stored.height, shown.width, shown.height),
    pixels: Math.max(stored.width * stored.height, shown.width * shown.height),
    framesPerSecond: avgFrames > 0 && avgSeconds > 0 ? avgFrames / avgSeconds : null,
    rotation: rotation * 90,
    isSquare: upright.width === width && upright.height === height,
    pixelFormat: nameOf(stream['pix_fmt']),
    isHdr: stream['color_transfer'] === 'smpte2084' || stream['color_transfer'] === 'arib-std-b67',
    bitsPerSecond: numberOf(stream['bit_rate']),
  }
}

const soundOf = (stream: Fields): Sound | null => {
  const [index, codec] = [wholeOf(stream['index']), codecOf(stream)]
  if (index === null || codec === null) return null
  return {
    ...{ index, codec, durationMs: durationOf(stream) },
    ...{ channels: wholeOf(stream['channels']), samplesPerSecond: numberOf(stream['sample_rate']) },
    ...{ bitsPerSecond: numberOf(stream['bit_rate']), profile: nameOf(stream['profile']) },
  }
}

const codecOf = ({ codec_name: name }: Fields): string | null =>
  typeof name === 'string' && /^[a-z0-9_]{1,40}$/.test(name) && name !== 'none' && name !== 'unknown' ? name : null

const nameOf = (value: unknown): string | null => (typeof value === 'string' && /^[\w .-]{1,40}$/.test(value) ? value : null)

/** Beyond this a ratio is no camera's: the samples are taken to be square, as they are where it is not told. */
const oddestRatio = 8

/** As browsers show it: samples that are not square make one side longer, never shorter. */
const stretched = (size: Size, ratio: unknown): Size => {
  const [across, down] = fractionOf(ratio) ?? [1, 1]
  const scale = across / down
  if (!(scale >= 1 / oddestRatio && scale <= oddestRatio)) return size
  return scale >= 1
    ? { width: Math.round(size.width * scale), height: size.height }
    : { width: size.width, height: Math.round(size.height / scale) }
}

const turned = ({ width, height }: Size, quarters: number): Size =>
  quarters % 2 === 1 ? { width: height, height: width } : { width, height }

/** Degrees clockwise; a display matrix counts the other way. */
const turnOf = ({ side_data_list: list, tags }: Fields): number => {
  const told = Array.isArray(list) ? list.filter(isFields).map((one) => numberOf(one['rotation'])) : []
  const counter = told.find((degrees) => degrees !== null)
  return typeof counter === 'number' ? -counter : ((isFields(tags) ? numberOf(tags['rotate']) : null) ?? 0)
}

const durationOf = ({ duration, tags }: Fields): number | null => {
  const seconds = numberOf(duration) ?? (isFields(tags) ? clockOf(tags['DURATION']) : null)
  return seconds !== null && seconds > 0 ? Math.min(Math.round(seconds * 1000), Number.MAX_SAFE_INTEGER) : null
}

/** `00:00:06.023000000`, as Matroska has it for each track. */
const clockOf = (text: unknown): number | null => {
  const found = typeof text === 'string' ? /^(\d{1,6}):(\d{1,2}):(\d{1,2}(?:\.\d{1,12})?)$/.exec(text) : null
  return found ? Number(found[1]) * 3600 + Number(found[2]) * 60 + Number(found[3]) : null
}

const fractionOf = (text: unknown): readonly [number, number] | null => {
  const found = typeof text === 'string' ? /^(\d{1,15})[:/](\d{1,15})$/.exec(text) : null
  const [above, below] = [Number(found?.[1]), Number(found?.[2])]
  return above > 0 && below > 0 ? [above, below] : null
}

const numberOf = (value: unknown): number | null => {
  const number =
    typeof value === 'number' ? value : typeof value === 'string' && /^-?\d{1,30}(\.\d{1,30})?$/.test(value) ? Number(value) : NaN
  return Number.isFinite(number) ? number : null
}

const wholeOf = (value: unknown): number | null => (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null)

const sizeOf = (value: unknown): number | null => {
  const whole = wholeOf(value)
  return whole !== null && whole >= 1 && whole < 2 ** 31 ? whole : null
}

const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value)

const parsed = (json: string): unknown => {
  try {
    return JSON.parse(json)
  } catch {
    return null
  }
}
