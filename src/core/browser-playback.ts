import { canonicalType } from './content-type.ts'

/** What has to be known of a file of sound or pictures that move, before somebody is sent it to play. */
interface Recorded {
  readonly contentType: string
  /** By the names that ffprobe has for them. Null: there is none, or nobody looked. */
  readonly videoCodec: string | null
  readonly audioCodec: string | null
}

interface Container {
  readonly pictures: readonly string[]
  readonly sound: readonly string[]
}

/** What Chrome, Firefox and Safari all play: by container, with what may be in it. */
const containers: Readonly<Record<string, Container>> = {
  'video/mp4': { pictures: ['h264', 'vp9', 'av1'], sound: ['aac', 'mp3', 'opus', 'flac'] },
  'video/webm': { pictures: ['vp8', 'vp9', 'av1'], sound: ['opus', 'vorbis'] },
  'audio/mp4': { pictures: [], sound: ['aac', 'mp3', 'opus', 'flac'] },
  'audio/webm': { pictures: [], sound: ['opus', 'vorbis'] },
  'audio/ogg': { pictures: [], sound: ['opus', 'vorbis', 'flac'] },
  'audio/mpeg': { pictures: [], sound: ['mp3'] },
  'audio/aac': { pictures: [], sound: ['aac'] },
  'audio/flac': { pictures: [], sound: ['flac'] },
  'audio/wav': { pictures: [], sound: ['pcm_u8', 'pcm_s16le', 'pcm_s24le', 'pcm_s32le', 'pcm_f32le'] },
}

/** Whether browsers play the file as it is. A codec that nobody looked at is taken to be a usual one. */
export const playsInBrowsers = ({ contentType, videoCodec, audioCodec }: Recorded): boolean => {
  const type = canonicalType(contentType)
  const container = Object.hasOwn(containers, type) ? containers[type] : undefined
  if (!container) return false
  const isFine = (codec: string | null, codecs: readonly string[]): boolean => codec === null || codecs.includes(codec)
  return isFine(videoCodec, container.pictures) && isFine(audioCodec, container.sound)
}
