import pg from 'pg'
import { contextOf, type RindleContext } from '../../src/context.ts'
import type { Jail } from '../../src/core/ports/jail.ts'
import type { StorageAdapter } from '../../src/core/ports/storage.ts'
import type { ClockReading } from '../../src/core/schedule.ts'
import { defineProfile } from '../../src/core/profile-definition.ts'
import { jobs } from '../../src/doors/worker/jobs.ts'
import { runWorker } from '../../src/doors/worker/worker.ts'
import { settleSlots } from '../../src/flows/assets/settle-slots.ts'
import { sweep } from '../../src/flows/ops/sweep.ts'
import { createTestRindle } from '../../src/rindle.ts'
import { createMemoryBucket, type MemoryBucket } from '../../src/testing/memory-bucket.ts'
import { createClock } from '../../src/database/clock.ts'
import { createPlainJail } from '../../test/journeys/fixtures/plain-jail.ts'
import type { EngineDatabase } from '../../test/services/engines.ts'
import { engineNamed } from '../database.ts'
import type { ProofContext, Random } from '../harness.ts'
import type { File } from './model.ts'

/** Where the races are held: one app on PostgreSQL with a worker, and a bucket that somebody watches. */
export interface Ground {
  readonly rindle: ReturnType<typeof openApp>
  readonly ctx: RindleContext
  readonly pool: pg.Pool
  readonly database: EngineDatabase
  readonly bucket: MemoryBucket
  readonly counts: Record<'explained' | 'unexplained' | 'undecided' | 'committed' | 'rolledBack' | 'swept', number>
  /** Makes something of the asset due, and looks for what is due, as a worker does. */
  sweep(assetId: string): Promise<void>
  settle(assetId: string): Promise<void>
  /** Deadlocks that the server has ended, whoever was told. */
  deadlocks(): Promise<number>
  close(): Promise<void>
}

const slots = { one: { profile: 'file' }, two: { profile: 'file' }, many: { profile: 'file', many: true } } as const
const connections = 70

const openApp = (pool: pg.Pool, file: ReturnType<typeof defineProfile>) =>
  createTestRindle({ database: pool, secrets: ['a secret of the proof that is long enough'], profiles: { file }, slots }, { jail: judge })

export const openGround = async (proof: ProofContext): Promise<Ground> => {
  const database = await engineNamed('postgres').open()
  const pool = new pg.Pool({ connectionString: database.place, max: connections })
  const bucket = createMemoryBucket({ name: 'races', clock: createClock() })
  const file = defineProfile({ kind: 'file', storage: watched(bucket.adapter, database, proof), allowMime: ['text/plain'], maxBytes: 1000 })
  const rindle = openApp(pool, file)
  await rindle.ready()
  const ctx = contextOf(rindle)
  const counts = { explained: 0, unexplained: 0, undecided: 0, committed: 0, rolledBack: 0, swept: 0 }
  let previous: ClockReading | null = null
  const look = async (): Promise<void> => {
    const { reading, swept } = await sweep(ctx, { holder: 'whoever calls', previous })
    previous = reading
    if (swept) counts.swept += 1
  }
  await look()
  await look()
  const worker = runWorker(ctx, jobs, { concurrency: 4 })
  return {
    ...{ rindle, ctx, pool, database, bucket, counts },
    async sweep(assetId) {
      for (const text of dueNow) await database.query(text, [assetId])
      await look()
    },
    settle: (assetId) => settleSlots(ctx, assetId),
    async deadlocks() {
      await new Promise((resolve) => setTimeout(resolve, 1_500))
      const [row] = await database.query('select deadlocks::int as count from pg_stat_database where datname = current_database()')
      return Number(row?.['count'])
    },
    async close() {
      await worker.stop()
      await rindle.close()
      await pool.end()
      await database.close()
    },
  }
}

/** One row at a time, since who locks several in no order makes deadlocks of its own. */
const dueNow = [
  `update rindle.media_assets set due_at = clock_timestamp() where id = $1 and state in ('validating', 'deleted')`,
  `update rindle.media_attachments set due_at = clock_timestamp()
    where id = (select id from rindle.media_attachments where asset_id = $1 and due_at is not null limit 1)`,
]

/** At the moment of its deletion no original may belong to an asset that a slot shows or will. */
const watched = (store: StorageAdapter, database: EngineDatabase, { breach }: ProofContext): StorageAdapter => ({
  ...store,
  async delete(key, options) {
    const assetId = /^sealed\/([^/]+)\//.exec(key)?.[1]
    if (assetId) {
      const shown = await database.query(`select 1 from rindle.media_attachments where asset_id = $1 and standing <> 'released'`, [assetId])
      if (shown.length > 0) breach(`the bytes of asset ${assetId} are deleted while it is attached`)
    }
    return store.delete(key, options)
  },
})

/** Says yes to every file but those named `bad`, without a look at them: slots are what is on trial. */
const judge: Jail = {
  ...createPlainJail(),
  async visit({ filename }) {
    if (filename.startsWith('bad')) return { verdict: 'refuse', code: 'type_unknown', message: 'It is of no known type.', details: {} }
    const facts = { kind: 'file', contentType: 'text/plain', extension: 'txt', placeholder: null, dominantColor: null } as const
    const shape = { width: null, height: null, frames: null, hasAlpha: null, durationMs: null, hasVideoTrack: null, hasAudioTrack: null }
    return { verdict: 'pass', facts: { ...facts, ...shape }, rewritten: null, variants: [], figures: { gateCpuMs: 0, cpuMs: 0 } }
  },
}

interface Files {
  readonly assets: string[]
  readonly sessions: (string | null)[]
  readonly files: File[]
}

/** Three files: one that landed and was not verified, two that were, of which the gate may have spoken by the time somebody asks. */
export const filesOf = async (ground: Ground, random: Random, label: string): Promise<Files> => {
  const kinds = ['staged', 'gate', 'gate'] as const
  const made = await Promise.all(
    kinds.map(async (phase, index) => {
      const good = random.chance(0.8)
      const filename = `${good ? 'good' : 'bad'}-${label}-${index}.txt`
      const bytes = Buffer.from(`the bytes of ${filename}`)
      if (phase === 'gate') {
        const { id } = await ground.rindle.upload('file', bytes, { filename })
        return { asset: id, session: null, file: { phase, session: 'completed', released: false, good, spokeBy: null } satisfies File }
      }
      const session = await ground.rindle.initiateUpload('file', { filename, byteSize: bytes.byteLength })
      const { presigned } = await ground.rindle.signUpload(session.id)
      await ground.bucket.send({ ...presigned, body: bytes })
      const file: File = { phase, session: 'open', released: false, good, spokeBy: null }
      return { asset: session.assetId, session: session.id, file }
    }),
  )
  return { assets: made.map(({ asset }) => asset), sessions: made.map(({ session }) => session), files: made.map(({ file }) => file) }
}
