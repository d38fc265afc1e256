import { canonicalType } from '../../../core/content-type.ts'
import { RindleError } from '../../../core/errors.ts'
import { audioCodecs, videoCodecs } from '../../../core/played.ts'

/** The one demuxer that a container is opened with, whatever else its bytes look like. None of them follows a reference to another file. */
const demuxers: Readonly<Record<string, string>> = {
  'video/mp4': 'mov',
  'audio/mp4': 'mov',
  'video/quicktime': 'mov',
  'video/3gpp': 'mov',
  'video/3gpp2': 'mov',
  'video/webm': 'matroska',
  'audio/webm': 'matroska',
  'video/matroska': 'matroska',
  'video/x-msvideo': 'avi',
  'video/mpeg': 'mpeg',
  'video/mp2t': 'mpegts',
  'video/ogg': 'ogg',
  'audio/ogg': 'ogg',
  'audio/mpeg': 'mp3',
  'audio/aac': 'aac',
  'audio/wav': 'wav',
  'audio/flac': 'flac',
  'audio/aiff': 'aiff',
  'audio/x-caf': 'caf',
  'audio/amr': 'amr',
}

/** Decoders that go by another name than what they decode. */
const besideCodecs = ['libdav1d', 'mp3float', 'mp2float', 'libopus', 'amrnb', 'amrwb']
/** Cover art, and titles that are opened for their name alone: nothing decodes them. */
const besides = ['png', 'mov_text', 'webvtt', 'subrip', 'srt', 'ass', 'ssa', 'text']

const mebibyte = 1024 * 1024
/** Larger than any frame of 64 megapixels in ten bits; one block, not all of them together. */
const maxBlockBytes = 512 * mebibyte

/**
 * How ffmpeg and ffprobe are told to open a file that nobody trusts: this file and no other, as this container and no other, with the listed
 * decoders. Options of the input (`-ss`, `-t`) go before it.
 *
 * @throws RindleError `type_unknown` for what is no container of audio or video.
 */
export const inputArguments = (path: string, contentType: string): string[] => {
  const demuxer = demuxers[canonicalType(contentType)]
  if (demuxer === undefined) throw new RindleError('type_unknown', {})
  return [
    ...['-protocol_whitelist', 'file', '-format_whitelist', demuxer, '-f', demuxer],
    ...['-codec_whitelist', [...videoCodecs, ...audioCodecs, ...besideCodecs, ...besides].join(',')],
    ...['-probesize', String(5 * mebibyte), '-analyzeduration', '5000000'],
    ...(demuxer === 'mov' ? ['-enable_drefs', '0', '-use_absolute_path', '0'] : []),
    ...['-threads', '1', '-i', `file:${path}`],
  ]
}

/** What stands before everything else, for both programs. */
export const quietArguments = ['-hide_banner', '-v', 'error', '-max_alloc', String(maxBlockBytes)] as const
