import pg from 'pg'
import { contextOf, type RindleContext } from '../../src/context.ts'
import { poster, video, waveform } from '../../src/core/av-recipes.ts'
import { image } from '../../src/core/image-recipe.ts'
import type { StorageAdapter } from '../../src/core/ports/storage.ts'
import type { ClockReading } from '../../src/core/schedule.ts'
import { defineProfile } from '../../src/core/profile-definition.ts'
import { jobs } from '../../src/doors/worker/jobs.ts'
import { runWorker } from '../../src/doors/worker/worker.ts'
import { settleSlots } from '../../src/flows/assets/settle-slots.ts'
import { sweep } from '../../src/flows/ops/sweep.ts'
import { createTestRindle } from '../../src/rindle.ts'
import { createMemoryBucket } from '../../src/testing/memory-bucket.ts'
import { createClock } from '../../src/database/clock.ts'
import type { EngineDatabase } from '../../test/services/engines.ts'
import { engineNamed } from '../database.ts'
import { breachIn } from '../everything/crew.ts'
import type { ProofContext } from '../harness.ts'
import { judge, kinds } from './judge.ts'

/** Where the races are held: one app on PostgreSQL with a worker, and a bucket that somebody watches. */
export interface Ground {
  readonly rindle: ReturnType<typeof openApp>
  readonly ctx: RindleContext
  readonly pool: pg.Pool
  readonly database: EngineDatabase
  readonly counts: Record<'explained' | 'unexplained' | 'undecided' | 'committed' | 'rolledBack' | 'swept' | 'stopped' | 'asked', number>
  /** Makes something of the asset due, and looks for what is due, as a worker does. */
  sweep(assetId: string): Promise<void>
  /** Counts a broken promise, and tells what became of the asset that is named first in the text. */
  breach(text: string): void
  settle(assetId: string): Promise<void>
  /** Deadlocks that the server has ended, whoever was told. */
  deadlocks(): Promise<number>
  close(): Promise<void>
}

const slots = { one: { profile: 'file' }, two: { profile: 'file' }, many: { profile: 'file', many: true } } as const
const variants = { thumb: image({ width: 8 }), poster: poster(), web_720p: video(), peaks: waveform() }
const connections = 70

/**
 * Whenever tables are analyzed every connection plans all of its statements anew, which was most of what a round cost. For the same reason
 * nobody plans a statement for its values.
 */
const unanalyzed = `
  do $$ declare t record; begin
    for t in select c.oid::regclass as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
              where n.nspname in ('rindle', 'rindle_queue') and c.relkind = 'r'
    loop execute format('alter table %s set (autovacuum_enabled = false)', t.name); end loop;
  end $$`
const countedOften = `create index on rindle.state_moves (entity_id) where entity = 'variant' and move = 'finish'`

const openApp = (pool: pg.Pool, file: ReturnType<typeof defineProfile>) =>
  createTestRindle({ database: pool, secrets: ['a secret of the proof that is long enough'], profiles: { file }, slots }, { jail: judge })

export const openGround = async (proof: ProofContext): Promise<Ground> => {
  const database = await engineNamed('postgres').open()
  await database.query(unanalyzed)
  await database.query(countedOften)
  const pool = new pg.Pool({ connectionString: database.place, max: connections, options: '-c plan_cache_mode=force_generic_plan' })
  const { adapter } = createMemoryBucket({ name: 'races', clock: createClock() })
  const breach = breachIn(proof, database, 'the races')
  const storage = watched(adapter, database, breach.say)
  const allowMime = Object.values(kinds).map(({ contentType }) => contentType)
  const file = defineProfile({ storage, allowMime, maxBytes: 1000, variants })
  const rindle = openApp(pool, file)
  await rindle.ready()
  const ctx = contextOf(rindle)
  const counts = { explained: 0, unexplained: 0, undecided: 0, committed: 0, rolledBack: 0, swept: 0, stopped: 0, asked: 0 }
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
    ...{ rindle, ctx, pool, database, counts, breach: breach.say },
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
      await breach.told()
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
  `update rindle.media_variants set due_at = clock_timestamp()
    where id = (select id from rindle.media_variants where asset_id = $1 and state = 'queued' limit 1)`,
]

/** At the moment of its deletion no original may belong to an asset that a slot shows or will. */
const watched = (store: StorageAdapter, database: EngineDatabase, breach: (text: string) => void): StorageAdapter => ({
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
