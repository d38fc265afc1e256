/** What is known of what moves or sounds; all of it null for what does neither. */
export interface Played {
  readonly durationMs: number | null
  readonly hasVideoTrack: boolean | null
  readonly hasAudioTrack: boolean | null
  /** Degrees that a player turns the pictures clockwise: 0, 90, 180 or 270. Width and height are what comes out. */
  readonly rotation: number | null
  /** Of pictures, over the whole length. */
  readonly framesPerSecond: number | null
  /** By the name that ffprobe has for it: `h264`. */
  readonly videoCodec: string | null
  /** The same of the sound: `aac`. */
  readonly audioCodec: string | null
}

export const unplayed: Played = {
  ...{ durationMs: null, hasVideoTrack: null, hasAudioTrack: null },
  ...{ rotation: null, framesPerSecond: null, videoCodec: null, audioCodec: null },
}

/** How much of audio and video is taken. */
export interface PlayedLimits {
  readonly maxDurationSeconds: number
  /** Of every sort: pictures, sounds, titles, and what phones note beside them. */
  readonly maxStreams: number
  readonly maxFramesPerSecond: number
  /** Null: all that are decoded here. */
  readonly allowCodecs: readonly string[] | null
}

/** Two hours; a film with sounds and titles in many languages; slow motion, which phones store at up to 960. */
export const usualPlayedLimits: PlayedLimits = { maxDurationSeconds: 7_200, maxStreams: 32, maxFramesPerSecond: 1_000, allowCodecs: null }

/** More are not even counted. */
export const mostStreams = 1_000

/** What phones, cameras, recorders and browsers write, by the names that ffprobe has for it. */
export const videoCodecs = [
  ...['h264', 'hevc', 'vp8', 'vp9', 'av1', 'mpeg4', 'h263', 'mjpeg', 'mpeg1video', 'mpeg2video', 'theora', 'prores'],
] as const
export const audioCodecs = [
  ...['aac', 'mp3', 'mp2', 'opus', 'vorbis', 'flac', 'alac', 'ac3', 'eac3', 'amr_nb', 'amr_wb'],
  ...['pcm_s16le', 'pcm_s16be', 'pcm_s24le', 'pcm_s24be', 'pcm_s32le', 'pcm_s32be', 'pcm_f32le', 'pcm_f32be', 'pcm_u8', 'pcm_s8'],
  ...['pcm_alaw', 'pcm_mulaw', 'adpcm_ms', 'adpcm_ima_wav', 'adpcm_ima_qt'],
] as const
