import { namesOfWaitingJobs } from '../adapters/queue/waiting-names.ts'
import { type AnyRindle, openedContextOf, type RindleContext } from '../context.ts'
import { isRindleError, RindleError } from '../core/errors.ts'
import type { JobName } from '../core/jobs.ts'
import { type ClockReading, lookSeconds, reconcileAgainSeconds, reconcileEverySeconds } from '../core/schedule.ts'
import { listOwedRows, type OwedRow } from '../database/queries/owed-rows.ts'
import { createJobRunner, type JobRunner } from '../doors/worker/job-runner.ts'
import { jobs } from '../doors/worker/jobs.ts'
import { type EmitterHold, emitEvents } from '../flows/ops/emit-events.ts'
import { reconcileStorage } from '../flows/ops/reconcile-storage.ts'
import { sweep } from '../flows/ops/sweep.ts'
import type { SettableClock } from './clock.ts'

/**
 * A worker that works when it is told to, in time that a test moves. What fails for want of database or queue is tried again, a moment later
 * each time, as every worker does it; and while a job waits for time alone, time goes on by itself.
 */
export interface TestWorker {
  /** Does the jobs that wait now, and those that they enqueue, and publishes what came of it. @returns the names of the jobs, in order. */
  work(): Promise<readonly JobName[]>
  /**
   * Lets so much time pass, and looks meanwhile at what is due, sweeps and works. What a worker does beside that, it does not: storage is held
   * against the rows by `reconcile` alone, history is not forgotten, and nobody tidies the scratch folder. @returns the names of the jobs that
   * were done, in order.
   */
  pass(seconds: number): Promise<readonly JobName[]>
  /**
   * Works, and lets time pass from one due date to the next, until no row is owed work. Waits for no client, and not for the end of what is kept:
   * open sessions, watched objects, files in quarantine, assets that nobody attached.
   *
   * @returns the names of the jobs that were done, in order.
   * @throws RindleError `work_unfinished` with the rows that nobody came to an end with within an hour, the longest that anything is put off
   * after a fault, and three leases
   */
  untilQuiet(): Promise<readonly JobName[]>
  /**
   * Holds what storage lists against the rows, as a worker does once a day, and takes away what came back. Where clocks are doubted, or
   * another worker did it, time passes until it may be done. @returns what became of each store.
   * @throws RindleError `work_unfinished` when it may not be done for longer than a day
   */
  reconcile(): Promise<readonly ReconciledStore[]>
}

export interface ReconciledStore {
  readonly store: string
  /** Objects, and uploads in parts, that were taken away. */
  readonly deleted: number
  readonly aborted: number
  /** Objects that no row knows; those that were younger than a day, or made by somebody else, are still there. */
  readonly unknown: number
}

export interface TestWorkerOptions {
  /** Who sweeps and emits: another one for each worker of a database. Default `test`. */
  readonly holder?: string
  /** How many files it works on at once. Default 1. */
  readonly decoders?: number
}

/** The fewest looks that `pass` takes, however long it is. */
const looksAtLeast = 4
const longestBackoffSeconds = 3_600
const firstRetrySeconds = 0.25
const longestRetrySeconds = 5
/** A database that was gone for so long is not coming back by itself. */
const retrySeconds = 300
/** Where looks bring nothing about, the next one comes later, but no later than this. */
const longestIdleSeconds = 300
const rowsLookedAt = 100

/**
 * The Rindle must have been made with the same clock, for itself and for its database. Jobs that were enqueued for later wait by the database
 * server's own time, which no test moves: the sweep finds their rows when they are due, as it does where a job was lost.
 */
export const createTestWorker = (rindle: AnyRindle, clock: SettableClock, options: TestWorkerOptions = {}): TestWorker => {
  const { holder = 'test' } = options
  const done: JobName[] = []
  const begin = once(async () => {
    const ctx = await openedContextOf(rindle)
    return { ctx, runner: runnerOf(ctx, done, options.decoders ?? 1) }
  })
  let previous: ClockReading | null = null
  let hold: EmitterHold | null = null

  const publish = async (ctx: RindleContext): Promise<void> => {
    for (let more = true; more;) {
      const emission = await emitEvents(ctx, hold, { holder })
      hold = emission.hold
      more = emission.more
    }
  }
  const turn = async (): Promise<void> => {
    const { ctx, runner } = await persist(clock, begin)
    const waiting = () => persist(clock, () => namesOfWaitingJobs(ctx.db.pool))
    for (let names = await waiting(); names.length > 0; names = await waiting()) {
      runner.wake(names)
      do {
        while (await persist(clock, () => runner.turn())) await clock.during(runner.drained())
        await clock.during(runner.drained())
        // What ends what was done may also take what was enqueued meanwhile.
      } while ((await persist(clock, () => runner.turn())) || isAtWork(runner))
    }
    await persist(clock, () => publish(ctx))
  }
  /** @returns whether the clocks are doubted, so that nothing is taken away for now. */
  const look = async (): Promise<boolean> => {
    const { ctx } = await persist(clock, begin)
    const { reading, doubted } = await persist(clock, () => sweep(ctx, { holder, previous }))
    previous = reading
    await turn()
    return doubted
  }
  const doing = async (run: () => Promise<void>): Promise<readonly JobName[]> => {
    const before = done.length
    await run()
    return done.slice(before)
  }
  const pass = async (seconds: number): Promise<void> => {
    const step = Math.max(lookSeconds, seconds / looksAtLeast)
    for (let left = seconds; left > 0; left -= step) {
      clock.advance(Math.min(step, left))
      await look()
    }
  }
  const settle = async (): Promise<void> => {
    const { ctx } = await persist(clock, begin)
    const patienceMs = (longestBackoffSeconds + 3 * ctx.leaseSeconds) * 1000
    const owedSince = new Map<string, number>()
    let [before, idleSeconds] = ['', lookSeconds]
    await look()
    for (;;) {
      const at = ctx.clock.now()
      const owed = await persist(clock, () => listOwedRows(ctx.db.pool, { at, limit: rowsLookedAt }))
      const [first] = owed
      if (!first) return
      const nowMs = clock.monotonicMs()
      for (const { id } of owed) owedSince.set(id, owedSince.get(id) ?? nowMs)
      const late = owed.filter(({ id }) => nowMs - (owedSince.get(id) ?? nowMs) > patienceMs)
      if (late.length > 0) throw new RindleError('work_unfinished', { rows: late.map(described), seconds: patienceMs / 1000 })
      const seen = owed.map(({ id, state }) => `${id} ${state}`).join()
      idleSeconds = seen === before ? Math.min(2 * idleSeconds, longestIdleSeconds) : lookSeconds
      before = seen
      clock.advance(Math.max(idleSeconds, (first.dueAt.getTime() - at.getTime()) / 1000))
      if (await look()) owedSince.clear()
    }
  }
  const reconcile = async (): Promise<readonly ReconciledStore[]> => {
    const { ctx } = await persist(clock, begin)
    for (let waited = 0; waited <= reconcileEverySeconds; waited += reconcileAgainSeconds) {
      const { outcome, stores } = await persist(clock, () => reconcileStorage(ctx, { holder }))
      if (outcome === 'done') return stores.map(({ store, deleted, aborted, unknown }) => ({ store, deleted, aborted, unknown }))
      await pass(reconcileAgainSeconds)
    }
    throw new RindleError('work_unfinished', { rows: ['what storage lists'], seconds: reconcileEverySeconds })
  }
  return { work: () => doing(turn), pass: (seconds) => doing(() => pass(seconds)), untilQuiet: () => doing(settle), reconcile }
}

const isAtWork = (runner: JobRunner): boolean => Object.values(runner.running()).some((count) => count > 0)

const described = ({ entity, id, state, dueAt }: OwedRow): string => `${entity} ${id} (${state}, due ${dueAt.toISOString()})`

const runnerOf = (ctx: RindleContext, done: JobName[], decoders: number): JobRunner => {
  const table = jobs.map((record) => ({
    name: record.name,
    run: (given: RindleContext, id: string, options: { readonly signal: AbortSignal }) => {
      done.push(record.name)
      return record.run(given, id, options)
    },
  }))
  return createJobRunner(ctx, { table, places: { decoders, encoders: 1 }, signal: new AbortController().signal, changed: () => undefined })
}

/** Does it once; where it failed, the next call tries again. */
const once = <T>(act: () => Promise<T>): (() => Promise<T>) => {
  let doing: Promise<T> | null = null
  return () =>
    (doing ??= act().catch((err: unknown) => {
      doing = null
      throw err
    }))
}

/** Tries again, less and less often, what may go better later. */
const persist = async <T>(clock: SettableClock, run: () => Promise<T>): Promise<T> => {
  const sinceMs = clock.monotonicMs()
  for (let seconds = firstRetrySeconds; ; seconds = Math.min(2 * seconds, longestRetrySeconds)) {
    try {
      return await clock.during(run())
    } catch (err) {
      if (!isRindleError(err) || !err.retryable || clock.monotonicMs() - sinceMs > retrySeconds * 1000) throw err
      clock.advance(seconds)
    }
  }
}
