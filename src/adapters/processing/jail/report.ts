import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { oneLine } from '../../../core/app-code.ts'
import { packageFor } from '../../../core/decoding-packages.ts'
import { type ErrorCode, isRindleError, RindleError } from '../../../core/errors.ts'
import { usualPlayedLimits } from '../../../core/played.ts'
import type { Jail, JailReport, Visit } from '../../../core/ports/jail.ts'
import { versionOf } from '../av/program.ts'
import type { Warm } from './decoder.ts'
import { outdatedIn } from './oldest.ts'
import type { Pool } from './pool.ts'
import { failureHoldsMs } from './sandbox.ts'
import { type Sample, samples } from './samples.ts'

interface Asking {
  readonly pool: Pool
  readonly visit: Jail['visit']
  readonly scratchFolder: string
  /** Of what makes one jail of a process differ from another. */
  readonly key: string
}

/**
 * What stands, and what can be decoded, each found by doing it; once per process, kind of jail and list of types. That something is missing is
 * believed for a minute.
 *
 * @throws RindleError `decoder_unavailable`, `decoder_killed`, and whatever else a visit throws for reasons that are not the sample's
 */
export const reportOf = (asking: Asking, contentTypes?: readonly string[]): Promise<JailReport> => {
  const tried = contentTypes ? samples.filter(({ contentType }) => contentTypes.includes(contentType)) : samples
  const key = `${asking.key} ${tried.map(({ contentType }) => contentType).join()}`
  const known = reports.get(key)
  if (known) return known
  const made = makeReport(asking, tried)
  reports.set(key, made)
  made.then(
    (report) => {
      if (!isComplete(report)) setTimeout(() => reports.delete(key), failureHoldsMs).unref()
    },
    () => reports.delete(key),
  )
  return made
}

const isComplete = ({ walls, missing }: JailReport): boolean => walls.every(({ stands }) => stands) && Object.keys(missing).length === 0

const reports = new Map<string, Promise<JailReport>>()

const makeReport = async ({ pool, visit, scratchFolder }: Asking, tried: readonly Sample[]): Promise<JailReport> => {
  const { walls, warm } = await pool.found()
  const [ffmpeg, ffprobe] = await Promise.all([versionOf('ffmpeg'), versionOf('ffprobe')])
  const versions = { sharp: warm.versions?.sharp ?? null, libvips: warm.versions?.libvips ?? null, ffmpeg, ffprobe }
  const folder = await mkdtemp(join(scratchFolder, 'rindle-decoder-')).catch((cause: unknown) => {
    throw new RindleError('decoder_unavailable', { problem: 'no folder could be made in the scratch folder' }, { cause })
  })
  try {
    const decodes: string[] = []
    for (const sample of tried) if (await isDecoded(visit, sample, folder)) decodes.push(sample.contentType)
    const missing = tried.flatMap(({ contentType }) =>
      decodes.includes(contentType) ? [] : [[contentType, packageFor(contentType)] as const],
    )
    return { walls, versions, problem: problemOf(warm), decodes, missing: Object.fromEntries(missing) }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** By what is here, so that a child's own words decide nothing but that there is a problem. */
const problemOf = ({ problem, versions }: Warm): RindleError | null => {
  if (problem === null) return null
  if (versions === null) return new RindleError('peer_missing', { packageName: 'sharp', neededFor: 'Opening pictures' })
  return outdatedIn(versions) ?? new RindleError('decoder_unavailable', { problem: oneLine(problem) })
}

const wants: ReadonlySet<string> = new Set<ErrorCode>(['peer_missing', 'peer_outdated', 'program_missing'])

/** Through the gate, as any file of an upload; that it cannot be opened for want of something is an answer as well, a fault is none. */
const isDecoded = async (visit: Jail['visit'], sample: Sample, place: string): Promise<boolean> => {
  const folder = join(place, sample.filename)
  const path = `${folder}.received`
  await mkdir(folder)
  await writeFile(path, sample.bytes)
  const verdict = await visit({ ...visitTo(sample), path, folder }).catch((err: unknown) => {
    if (isRindleError(err) && wants.has(err.code)) return null
    throw err
  })
  return verdict?.verdict === 'pass' && verdict.facts.contentType === sample.contentType
}

const visitTo = ({ filename, contentType }: Sample): Omit<Visit, 'path' | 'folder'> => ({
  ...{ purpose: 'gate', profileKind: 'media', filename, allowMime: [contentType], allowExtensions: null, metadata: 'keep' },
  ...{ svg: 'rasterize', variants: [] },
  limits: {
    ...{ maxPixels: 1_000_000, maxSidePixels: 1_000, maxFrames: 10, ...usualPlayedLimits },
    ...{ gateTimeoutMs: 10_000, timeoutMs: 20_000 },
  },
})
