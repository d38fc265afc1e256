import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { createJail } from '../../src/adapters/processing/jail.ts'
import { local } from '../../src/adapters/storage/local.ts'
import { jsonLogger } from '../../src/adapters/telemetry/logger.ts'
import { audio, poster, preview, strip, video, waveform } from '../../src/core/av-recipes.ts'
import { gateStates } from '../../src/core/asset.ts'
import { isRindleError } from '../../src/core/errors.ts'
import { playableTypes } from '../../src/core/content-type.ts'
import { defineProfile } from '../../src/core/profile-definition.ts'
import { createTestRindle } from '../../src/rindle.ts'
import { createSettableClock } from '../../src/testing/clock.ts'
import { createTestWorker } from '../../src/testing/test-worker.ts'
import { chosenEngine } from '../database.ts'
import { rowReader } from '../rows.ts'

/** `lesson` takes metadata out of what it can be taken out of; the others serve what came. */
export type ProfileName = 'lesson' | 'raw' | 'greedy' | 'patient'

/** What became of a file. */
export interface Fate {
  /** Of the asset, or the code that the upload was refused with. */
  readonly state: string
  /** Of each variant. */
  readonly variants: Readonly<Record<string, string>>
  /** What is told of each thing that went wrong. */
  readonly words: readonly string[]
  /** Attempts at jobs. */
  readonly attempts: number
  /** It has come to its end: nothing is owed any more. */
  readonly isSettled: boolean
}

/** An app whose worker is this process, with all of the jail's walls or without the sandbox. */
export interface House {
  readonly scratch: string
  readonly objects: string
  send(profile: ProfileName, filename: string, bytes: Uint8Array): Promise<Fate>
  /** All that stands in rows, and all that was logged since the last time. */
  told(): Promise<string>
  close(): Promise<void>
}

const rewritable = [...playableTypes].filter((type) => !/x-msvideo|video\/mpeg|mp2t|aac|aiff|caf|amr/.test(type))
const everything = {
  ...{ poster: poster(), web: video(), wave: waveform(), scrub: strip(), song: audio({ loudness: 'two-pass' }), moves: preview() },
}

export const openHouse = async (folder: string, options: { readonly hasSandbox: boolean }): Promise<House> => {
  const [scratch, objects] = [join(folder, 'scratch'), join(folder, 'objects')]
  for (const place of [scratch, objects]) mkdirSync(place, { recursive: true })
  const database = await chosenEngine().open()
  const clock = createSettableClock()
  const stored = { storage: local({ directory: objects }), maxBytes: 500_000_000 }
  const common = { ...stored, allowMime: [...playableTypes], originals: { metadata: 'keep' } } as const
  const profiles = {
    lesson: defineProfile({ ...stored, allowMime: rewritable, variants: everything }),
    raw: defineProfile({ ...common, variants: everything }),
    greedy: defineProfile({
      ...common,
      variants: {
        film: video({ width: 1_920, height: 1_080, crf: 1, maxBitrateKbps: 20_000, audioBitrateKbps: 512 }),
        scrub: strip({ width: 1_280, height: 1_280, columns: 100, everySeconds: 0.1, quality: 100 }),
        moves: preview({ width: 1_280, height: 1_280, seconds: 30, framesPerSecond: 30, quality: 100 }),
        poster: poster({ width: 7_680, height: 7_680, quality: 100 }),
      },
    }),
    patient: defineProfile({ ...common, maxDurationSeconds: 36_000, variants: { wave: waveform({ length: 10_000 }) } }),
  }
  const logged: string[] = []
  const log = jsonLogger(
    (line) => logged.push(line),
    () => new Date(0),
  )
  const walls = options.hasSandbox ? {} : { bubblewrap: null }
  const jail = createJail({ logger: log, concurrency: 1, scratchFolder: scratch, ...walls })
  const rindle = createTestRindle(
    {
      ...{ database: database.given, profiles, baseUrl: 'http://localhost:1/media', scratchFolder: scratch, logger: log },
      secrets: ['a secret of the proof that is long enough'],
    },
    { jail, clock, databaseClock: clock.database },
  )
  await rindle.ready()
  if (options.hasSandbox) {
    const missing = (await jail.report([])).walls.filter(({ stands }) => !stands)
    if (missing.length > 0) throw new Error(`walls are missing: ${missing.map(({ means }) => means).join('; ')}`)
  }
  const worker = createTestWorker(rindle, clock)
  const rows = await rowReader(database, ['rindle', 'rindle_queue'])
  const fateOf = async (id: string, isSettled: boolean): Promise<Fate> => {
    const [asset] = await database.query('select state, error_code, error_detail from rindle.media_assets where id = $1', [id])
    const made = await database.query('select name, state, error_code, error_detail from rindle.media_variants where asset_id = $1', [id])
    const [runs] = await database.query('select count(*)::int as attempts from rindle.media_processing_runs where asset_id = $1', [id])
    const said = [asset, ...made].map((row) => row?.['error_detail'])
    const state = String(asset?.['state'])
    return {
      ...{ state, attempts: Number(runs?.['attempts']), isSettled: isSettled && !gateStates.some((one) => one === state) },
      variants: Object.fromEntries(made.map((row) => [String(row['name']), String(row['state'])])),
      words: said.flatMap((words) => (typeof words === 'string' ? [words] : [])),
    }
  }
  return {
    ...{ scratch, objects },
    async send(profile, filename, bytes) {
      try {
        const { id } = await rindle.upload(profile, Buffer.from(bytes), { filename })
        const isSettled = await worker.untilQuiet().then(
          () => true,
          (err: unknown) => (isRindleError(err) && err.code === 'work_unfinished' ? false : Promise.reject(err)),
        )
        return await fateOf(id, isSettled)
      } catch (err) {
        if (!isRindleError(err)) throw err
        logged.push(inspect(err, { depth: 6 }))
        return { state: err.code, variants: {}, words: [err.message], attempts: 0, isSettled: true }
      }
    },
    async told() {
      const said = logged.splice(0).join('')
      return `${said}${await rows()}`
    },
    async close() {
      await rindle.close()
      await jail.close()
      await database.close()
    },
  }
}
