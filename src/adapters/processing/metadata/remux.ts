import { open, rm, stat } from 'node:fs/promises'
import { RindleError } from '../../../core/errors.ts'
import type { MetadataPolicy } from '../../../core/metadata-policy.ts'
import type { Rewritten } from '../../../core/ports/jail.ts'
import { runFfmpeg, runFfprobe } from '../av/run.ts'
import { technical } from './ebml-notes.ts'
import { copyWithout, tagSpansOf } from './mpeg-tags.ts'
import { linksOf } from './ogg-links.ts'
import { saysMore } from './sound-notes.ts'
import { keptSubtitles, type SubtitleTrack } from './subtitles.ts'

interface RemuxRequest {
  readonly path: string
  readonly copyPath: string
  readonly contentType: string
  readonly policy: MetadataPolicy
  readonly timeoutMs: number
  /** As people call it. */
  readonly format: string
}

const muxers: Readonly<Record<string, string>> = {
  'video/webm': 'webm',
  'audio/webm': 'webm',
  'video/matroska': 'matroska',
  'audio/ogg': 'ogg',
  'video/ogg': 'ogg',
  'audio/mpeg': 'mp3',
  'audio/flac': 'flac',
  'audio/wav': 'wav',
}

/** Where a picture is a cover. Others may hold a film, whatever the sniffer took them for. */
const soundOnly: ReadonlySet<string> = new Set(['audio/mpeg', 'audio/flac', 'audio/wav'])
const noRoom = /No space left on device|Disk quota exceeded|File too large/i
const probeTimeoutMs = 5_000

/**
 * Copies sound, picture and subtitles into a new container without any tag, chapter, cover or attachment, nor subtitles that say a place, where
 * there is any. Samples are not touched.
 *
 * @returns null when nothing had to be taken out.
 * @throws RindleError `metadata_not_removable` when ffmpeg cannot copy it; `program_missing`, `peer_outdated`, `decoder_unavailable` and
 * `decoder_killed` are faults
 */
export const remuxWithoutMetadata = async (request: RemuxRequest): Promise<Rewritten | null> => {
  const { path, copyPath, contentType, format } = request
  const found = await notesOf(request)
  const subtitles = await keptSubtitles(request, found.subtitles)
  if (!hasNotes(found) && subtitles.length === found.subtitles.length && !(await saysMore(path, contentType))) return null
  if (contentType.endsWith('/ogg') && (await isChained(path))) throw new RindleError('metadata_not_removable', { format })
  const cutPath = `${copyPath}.cut`
  try {
    await copyStreams((await cutTags(request, cutPath)) ? { ...request, path: cutPath } : request, found, subtitles)
  } finally {
    await rm(cutPath, { force: true })
  }
  const isLeft = contentType === 'audio/mpeg' && (await saysMore(copyPath, contentType))
  if (isLeft || hasNotes(await notesOf({ ...request, path: copyPath }))) throw new RindleError('metadata_not_removable', { format })
  return { path: copyPath, byteSize: (await stat(copyPath)).size, changed: null }
}

const isChained = async (path: string): Promise<boolean> => {
  await using file = await open(path)
  return (await linksOf(file)) === 'chained'
}

/** What ffmpeg would take for sound: tags in the middle of an MP3. @returns false where there is none */
const cutTags = async ({ path, contentType }: RemuxRequest, cutPath: string): Promise<boolean> => {
  if (contentType !== 'audio/mpeg') return false
  await using file = await open(path)
  const spans = await tagSpansOf(file)
  if (spans.length > 0) await copyWithout(path, cutPath, spans)
  return spans.length > 0
}

const copyStreams = async (request: RemuxRequest, found: Notes, subtitles: readonly number[]): Promise<void> => {
  const { path, contentType, format, timeoutMs } = request
  const run = await runFfmpeg({ path, contentType }, outputOf(request, found, subtitles), { timeoutMs })
  if (run.ranOut) throw new RindleError('decoder_killed', { reason: 'its metadata was not taken out in time' })
  // ffmpeg ends with the same status for a full disk, which is not the file's fault.
  if (run.status !== 0 && noRoom.test(run.complaints))
    throw new RindleError('decoder_unavailable', { problem: 'its copy could not be written' })
  if (run.status !== 0) throw new RindleError('metadata_not_removable', { format })
}

const outputOf = ({ contentType, copyPath }: RemuxRequest, { hasAlpha }: Notes, subtitles: readonly number[]): string[] => [
  ...(soundOnly.has(contentType) ? ['0:a'] : ['0:V?', '0:a?', ...subtitles.map((index) => `0:${index}`)]).flatMap((kind) => ['-map', kind]),
  ...['-c', 'copy', '-map_metadata', '-1', '-map_chapters', '-1'],
  ...(hasAlpha ? ['-metadata:s:v:0', 'alpha_mode=1'] : []),
  ...['-fflags', '+bitexact', '-flags:v', '+bitexact', '-flags:a', '+bitexact'],
  ...(contentType === 'audio/mpeg' ? ['-write_id3v1', '0', '-id3v2_version', '0'] : []),
  ...['-f', muxers[contentType] ?? '', `file:${copyPath}`],
]

interface Notes {
  /** Names of tags that say something of the content. */
  readonly tags: readonly string[]
  /** Covers and attachments. */
  readonly pictures: boolean
  readonly chapters: boolean
  readonly subtitles: readonly SubtitleTrack[]
  readonly hasAlpha: boolean
}

const hasNotes = ({ tags, pictures, chapters }: Notes): boolean => tags.length > 0 || pictures || chapters

const asked = 'format_tags:stream=index,codec_type,codec_name:stream_tags:stream_disposition=attached_pic:chapter=id'

const notesOf = async ({ path, contentType, format }: RemuxRequest): Promise<Notes> => {
  const ask = ['-show_format', '-show_streams', '-show_chapters', '-show_entries', asked, '-of', 'json']
  const run = await runFfprobe({ path, contentType }, ask, { timeoutMs: probeTimeoutMs })
  if (run.ranOut) throw new RindleError('decoder_killed', { reason: 'its metadata was not found in time' })
  if (run.status !== 0 || run.wroteTooMuch) throw new RindleError('metadata_not_removable', { format })
  const answer = fieldsOf(parsed(run.stdout.toString('utf8')))
  const streams = listOf(answer['streams']).map(fieldsOf)
  const tags = [fieldsOf(answer['format']), ...streams].map((one) => fieldsOf(one['tags']))
  return {
    tags: tags.flatMap((one) => Object.keys(one)).filter((name) => !technical.test(name)),
    pictures: streams.some(
      (one) => one['codec_type'] === 'attachment' || one['codec_type'] === 'data' || fieldsOf(one['disposition'])['attached_pic'] === 1,
    ),
    chapters: listOf(answer['chapters']).length > 0,
    subtitles: streams
      .filter((one) => one['codec_type'] === 'subtitle')
      .map((one) => ({ index: Number(one['index']), codec: String(one['codec_name'] ?? '') })),
    hasAlpha: tags.some((one) => one['alpha_mode'] === '1' || one['ALPHA_MODE'] === '1'),
  }
}

const parsed = (json: string): unknown => {
  try {
    return JSON.parse(json)
  } catch {
    return null
  }
}

const fieldsOf = (value: unknown): Readonly<Record<string, unknown>> => (typeof value === 'object' && value !== null ? { ...value } : {})
const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])
