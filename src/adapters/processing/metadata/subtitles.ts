import { open, rm } from 'node:fs/promises'
import { RindleError } from '../../../core/errors.ts'
import type { MetadataPolicy } from '../../../core/metadata-policy.ts'
import { runFfmpeg, runFfprobe } from '../av/run.ts'
import { saysPlace } from './place-words.ts'
import { windowsOf } from './windows.ts'

interface SubtitleRequest {
  readonly path: string
  /** Beside which texts may be written for a moment. */
  readonly copyPath: string
  readonly contentType: string
  readonly policy: MetadataPolicy
  readonly timeoutMs: number
  readonly format: string
}

export interface SubtitleTrack {
  readonly index: number
  readonly codec: string
}

/** Subtitles that are pictures. */
const drawn: ReadonlySet<string> = new Set(['dvd_subtitle', 'hdmv_pgs_subtitle', 'dvb_subtitle', 'xsub'])
const mostTracks = 32
/** A decoder may make few files; more tracks take the film to be read again. */
const tracksAtOnce = 8
const probeTimeoutMs = 5_000

/** Which subtitle tracks stay: those drawn as pictures, and where not everything goes, those of text in which no place is said. @throws RindleError `metadata_not_removable`, `decoder_killed` */
export const keptSubtitles = async (request: SubtitleRequest, tracks: readonly SubtitleTrack[]): Promise<number[]> => {
  const pictures = tracks.filter(({ codec }) => drawn.has(codec)).map(({ index }) => index)
  const texts = tracks.filter(({ codec }) => !drawn.has(codec))
  if (request.policy === 'strip' || texts.length === 0) return pictures
  const said = await placesIn(request, texts.slice(0, mostTracks))
  return [...pictures, ...texts.slice(0, mostTracks).flatMap(({ index }) => (said.has(index) ? [] : [index]))].toSorted((a, b) => a - b)
}

const placesIn = async (request: SubtitleRequest, tracks: readonly SubtitleTrack[]): Promise<Set<number>> => {
  const said = new Set(await placesInHeaders(request))
  for (let at = 0; at < tracks.length; at += tracksAtOnce)
    for (const index of await placesInLines(request, tracks.slice(at, at + tracksAtOnce))) said.add(index)
  return said
}

const placesInLines = async (
  { path, contentType, timeoutMs, format, copyPath }: SubtitleRequest,
  tracks: readonly SubtitleTrack[],
): Promise<number[]> => {
  const textPath = (index: number): string => `${copyPath}.${index}.text`
  const outputs = tracks.flatMap(({ index }) => ['-map', `0:${index}`, '-c', 'copy', '-f', 'data', `file:${textPath(index)}`])
  const said: number[] = []
  try {
    const run = await runFfmpeg({ path, contentType }, outputs, { timeoutMs })
    if (run.ranOut) throw new RindleError('decoder_killed', { reason: 'its subtitles were not read in time' })
    if (run.status !== 0) throw new RindleError('metadata_not_removable', { format })
    for (const { index } of tracks) if (await fileSaysPlace(textPath(index))) said.push(index)
  } finally {
    await Promise.all(tracks.map(({ index }) => rm(textPath(index), { force: true })))
  }
  return said
}

const fileSaysPlace = async (path: string): Promise<boolean> => {
  await using file = await open(path)
  for await (const { bytes } of windowsOf(file, 256)) if (saysPlace(bytes.toString('latin1'))) return true
  return false
}

/** What stands before the first line, as ffprobe prints bytes: in columns of hexadecimal digits. */
const placesInHeaders = async ({ path, contentType, format }: SubtitleRequest): Promise<number[]> => {
  const ask = ['-select_streams', 's', '-show_entries', 'stream=index,extradata', '-show_data', '-of', 'default=nw=1']
  const run = await runFfprobe({ path, contentType }, ask, { timeoutMs: probeTimeoutMs })
  if (run.ranOut) throw new RindleError('decoder_killed', { reason: 'its subtitles were not read in time' })
  if (run.status !== 0 || run.wroteTooMuch) throw new RindleError('metadata_not_removable', { format })
  return run.stdout
    .toString('latin1')
    .split(/^index=/m)
    .filter((one) => {
      const digits = [...one.matchAll(/^[0-9a-f]{8}: ([0-9a-f ]{39})/gm)].map(([, columns = '']) => columns.replaceAll(' ', ''))
      return saysPlace(Buffer.from(digits.join(''), 'hex').toString('latin1'))
    })
    .map((one) => Number.parseInt(one, 10))
}
