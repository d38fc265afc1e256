import type { RindleContext } from '../../context.ts'
import { RindleError } from '../../core/errors.ts'
import type { JobName } from '../../core/jobs.ts'
import { buildJobs } from '../../core/variant-plan.ts'
import { secondsAfter } from '../../core/patience.ts'
import { clockDoubtSeconds, type ClockReading, compareClocks, opsLeaseSeconds, sweepLimit } from '../../core/schedule.ts'
import { openSessionStates } from '../../core/upload-session.ts'
import { followDatabase } from '../../database/clock.ts'
import {
  bringForward,
  type DueRows,
  forgetSessions,
  giveBackAssets,
  giveBackVariants,
  listDueRows,
  wakeAgain,
} from '../../database/queries/due-rows.ts'
import { claimLease, doubtClock } from '../../database/queries/leases.ts'
import { endSession } from '../steps/end-session.ts'
import { settleUnmanagedObject } from '../steps/settle-unmanaged-object.ts'

type SweepContext = Pick<RindleContext, 'db' | 'stores' | 'queue' | 'clock' | 'logger' | 'leaseSeconds'>

interface Look {
  readonly reading: ClockReading
  /** True when this worker holds the lease and looked at what is due. */
  readonly swept: boolean
  /** True while the clocks are doubted, so that nothing is expired or deleted. */
  readonly doubted: boolean
  /** How many rows were due. */
  readonly due: number
}

interface Sweep {
  /** Who sweeps: the same for all looks of one worker. */
  readonly holder: string
  /** What the worker's previous look read; null at its first, which only takes the time. */
  readonly previous: ClockReading | null
  readonly signal?: AbortSignal
}

/**
 * Sets the clock to the database's and, when this worker holds the sweep's lease, cures what is due as the tables of the machines say:
 * gives back, expires, forgets, or enqueues again with a later due date. At most 200 rows of a table a look, and none is begun when the lease
 * has run out: what is left is due at the next one.
 *
 * Acts only when the database's clock and the machine's went equally far since the previous look. A difference is written down for all
 * workers, and for an hour nothing is expired or deleted; what a clock that was ahead had put off for days is brought forward, then and at
 * the first look of a worker.
 */
export async function sweep(ctx: SweepContext, { holder, previous, signal }: Sweep): Promise<Look> {
  const reading = { database: await followDatabase(ctx.clock, ctx.db.clock), monotonicMs: ctx.clock.monotonicMs() }
  const at = ctx.clock.now()
  const verdict = compareClocks(previous, reading)
  if (verdict === 'differ') {
    const until = secondsAfter(at, clockDoubtSeconds)
    await doubtClock(ctx.db.pool, until)
    ctx.logger.warn(
      { event: 'clock_doubted', until },
      'The clocks of database and machine went apart: nothing is expired or deleted for an hour.',
    )
  }
  if (verdict !== 'agree') await bringForward(ctx.db.pool, { at, seconds: ctx.leaseSeconds })
  if (verdict !== 'agree') return { reading, swept: false, doubted: verdict === 'differ', due: 0 }

  const lease = await claimLease(ctx.db.pool, { name: 'sweep', holder, at, seconds: opsLeaseSeconds })
  if (!lease) return { reading, swept: false, doubted: false, due: 0 }
  const doubted = lease.clockDoubtedUntil !== null && lease.clockDoubtedUntil > at
  const due = await listDueRows(ctx.db.pool, { at, limit: sweepLimit, scope: doubted ? 'harmless' : 'all' })
  const endsMs = reading.monotonicMs + opsLeaseSeconds * 1000
  const isOver = (): boolean => signal?.aborted === true || ctx.clock.monotonicMs() >= endsMs
  for (const [name, cure] of Object.entries(cures)) {
    if (isOver()) break
    await attempt(ctx, name, () => cure(ctx, due, { at, isOver, signal }))
  }
  return { reading, swept: true, doubted, due: Object.values(due).reduce((sum, rows) => sum + rows.length, 0) }
}

interface Curing {
  readonly at: Date
  /** True when the lease has run out, or the worker stops. */
  readonly isOver: () => boolean
  readonly signal: AbortSignal | undefined
}

type Cure = (ctx: SweepContext, due: DueRows, options: Curing) => Promise<void>

/** What is done about each kind of due row. Those that take nothing away come first. */
const cures: Readonly<Record<string, Cure>> = {
  giveBackAssets: (ctx, { assets }) => giveBackAssets(ctx.db.pool, ctx, { ids: idsIn(assets, ['analyzing']) }),
  giveBackVariants: (ctx, { variants }) => {
    const lapsed = variants.filter(({ state }) => state === 'processing')
    const jobs = buildJobs.flatMap((name) => assetsOf(lapsed.filter(({ job }) => job === name)).map((id) => ({ name, id })))
    return giveBackVariants(ctx.db.pool, ctx, { assetIds: assetsOf(lapsed), jobs })
  },
  promote: (ctx, { assets }) => wake(ctx, 'promote_asset', { table: 'media_assets', ids: idsIn(assets, ['validating']) }),
  build: async (ctx, { variants }) => {
    for (const name of buildJobs) {
      const waiting = variants.filter(({ state, job }) => state !== 'processing' && job === name)
      await wake(ctx, name, { table: 'media_variants', ids: idsOf(waiting), subjects: assetsOf(waiting) })
    }
  },
  settleSlots: (ctx, { attachments }) => {
    const unsettled = attachments.filter(({ standing }) => standing !== 'released')
    return wake(ctx, 'settle_slots', { table: 'media_attachments', ids: idsOf(unsettled), subjects: assetsOf(unsettled) })
  },
  expireSessions: async (ctx, { sessions }, { isOver }) => {
    for (const id of idsIn(sessions, openSessionStates)) {
      if (isOver()) return
      await attempt(ctx, 'expire', () => ctx.db.transaction((tx) => endSession(ctx, tx, id, 'expire')))
    }
  },
  forgetSessions: (ctx, { sessions }, { at }) => {
    const ended = sessions.filter(({ state }) => !openSessionStates.includes(state))
    return forgetSessions(ctx.db.pool, { ids: idsOf(ended), at })
  },
  purgeAssets: (ctx, { assets }) => {
    const resting = assets.filter(({ state }) => state !== 'validating' && state !== 'analyzing')
    return wake(ctx, 'purge_asset', { table: 'media_assets', ids: idsOf(resting) })
  },
  purgeReleased: (ctx, { attachments }) => {
    const released = attachments.filter(({ standing }) => standing === 'released')
    return wake(ctx, 'purge_asset', { table: 'media_attachments', ids: idsOf(released), subjects: assetsOf(released) })
  },
  deleteObjects: (ctx, { objects }) => wake(ctx, 'delete_object', { table: 'media_objects', ids: idsIn(objects, ['doomed', 'watched']) }),
  // A storage that does not answer takes up the whole look, but no other storage's.
  settleUnmanaged: async (ctx, { objects }, { isOver, signal }) => {
    const settle = async (ids: readonly string[]): Promise<void> => {
      for (const id of ids) {
        if (isOver()) return
        await attempt(ctx, 'settle', () => settleUnmanagedObject(ctx, id, signal ? { signal } : {}))
      }
    }
    const stores = Map.groupBy(objects, ({ store }) => store)
    await Promise.all([...stores.values()].map((ofStore) => settle(idsIn(ofStore, ['reserved']))))
  },
}

interface Waking {
  readonly table: 'media_assets' | 'media_variants' | 'media_objects' | 'media_attachments'
  /** The rows that are due. */
  readonly ids: readonly string[]
  /** What their jobs name; the rows themselves when absent. */
  readonly subjects?: readonly string[]
}

/** Looks after the rows later, and wakes a worker for those whose job is lost: behind a backlog it is only waiting, and must not be doubled. */
async function wake(ctx: SweepContext, name: JobName, { table, ids, subjects = ids }: Waking): Promise<void> {
  if (ids.length === 0) return
  const waiting = await ctx.queue.waiting(name, subjects)
  const jobs = subjects.filter((id) => !waiting.has(id)).map((id) => ({ name, id }))
  await wakeAgain(ctx.db.pool, ctx, { table, ids, jobs })
}

/** One row that cannot be cured must not keep the others waiting. A database that is gone is the loop's business. */
async function attempt(ctx: SweepContext, cure: string, run: () => Promise<unknown>): Promise<void> {
  try {
    await run()
  } catch (err) {
    if (err instanceof RindleError && (err.code === 'database_unavailable' || err.code === 'rindle_closed')) throw err
    if (err instanceof RindleError && (err.code === 'statement_missed' || err.code === 'upload_session_not_found')) return
    ctx.logger.error({ event: 'sweep_failed', cure, err }, 'The sweep could not cure a row; it will look at it again.')
  }
}

const idsOf = (rows: readonly { readonly id: string }[]): string[] => rows.map(({ id }) => id)
const idsIn = <S extends string>(rows: readonly { readonly id: string; readonly state: S }[], states: readonly S[]): string[] =>
  idsOf(rows.filter(({ state }) => states.includes(state)))
const assetsOf = (rows: readonly { readonly asset_id: string }[]): string[] => [...new Set(rows.map((row) => row.asset_id))].sort()
