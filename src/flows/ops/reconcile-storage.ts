import type { RindleContext } from '../../context.ts'
import { secondsAfter } from '../../core/patience.ts'
import { reconcileEverySeconds, strayAfterSeconds, strayUnmanagedAfterSeconds } from '../../core/schedule.ts'
import { claimLease, isClockDoubted, leaveLease } from '../../database/queries/leases.ts'
import { type Look, type Store, type Survey, surveyStore } from '../steps/survey-store.ts'

type Context = Pick<RindleContext, 'db' | 'stores' | 'clock' | 'logger'>

/** What a store lists that no row answers for, and what became of it. */
interface StoreDrift extends Pick<Survey, 'listed' | 'unknown' | 'foreign'> {
  readonly store: string
  readonly deleted: number
  readonly aborted: number
  /** What could not be taken away, or was too much for one time. The next time finds it again. */
  readonly left: number
  /** What could not be listed to its end. */
  readonly unread: readonly string[]
}

interface Reconciliation {
  /** `elsewhere`: a worker has done it within the day, or is at it. `stopped`: told to stop before its end. */
  readonly outcome: 'done' | 'elsewhere' | 'doubted' | 'stopped'
  readonly stores: readonly StoreDrift[]
}

/**
 * Deletes nothing that this database has not deleted before. Holds what every store lists against the rows, once a day for all workers of a
 * database, and takes away what came back: objects whose row it deleted and forgot, and uploads in parts of such, or that no open session
 * names. Both only a day after they were begun, and only at keys that this library alone makes. What neither rows nor history know was made
 * by another database over the same prefix, or since the dump that this one was restored from: it is left alone, and told of as an error,
 * with its number and some keys. Below `unmanaged/` no object is touched, but uploads in parts that are older than any can be that is under
 * way.
 *
 * Rows come before bytes, so there is normally nothing to find: only what a process began to write, was held up for hours, and then sent.
 * Every key is in a line of the log before it goes. While the clocks are doubted nothing is touched.
 *
 * @throws RindleError `database_unavailable`. The lease stays with its holder then, who may begin again.
 */
export async function reconcileStorage(
  ctx: Context,
  { holder, signal }: { readonly holder: string; readonly signal?: AbortSignal },
): Promise<Reconciliation> {
  const at = ctx.clock.now()
  if (await isClockDoubted(ctx.db.pool, at)) return { outcome: 'doubted', stores: [] }
  if (!(await claimLease(ctx.db.pool, { name: 'reconcile', holder, at, seconds: reconcileEverySeconds })))
    return { outcome: 'elsewhere', stores: [] }

  const stores: StoreDrift[] = []
  const look: Look = {
    before: secondsAfter(at, -strayAfterSeconds),
    unmanagedBefore: secondsAfter(at, -strayUnmanagedAfterSeconds),
    ...(signal ? { signal } : {}),
  }
  for (const store of ctx.stores.all()) {
    try {
      stores.push(await reconcileStore(ctx, store, look))
    } catch (err) {
      if (!signal?.aborted) throw err
    }
    if (!signal?.aborted) continue
    await leaveLease(ctx.db.pool, { name: 'reconcile', holder })
    return { outcome: 'stopped', stores }
  }
  return { outcome: 'done', stores }
}

const reconcileStore = async (ctx: Context, store: Store, look: Look): Promise<StoreDrift> => {
  const survey = await surveyStore(ctx, store, look)
  const { objects, uploads, listed, unknown, foreign, unread } = survey
  const found = objects.length + uploads.length + survey.over
  // Listing takes its time, and what it found is judged by age.
  const isDoubted = await isClockDoubted(ctx.db.pool, ctx.clock.now())
  const each = takingAway(ctx, store, look)
  const aborted = isDoubted ? 0 : await each('uploads', uploads, ({ key, uploadId }) => store.multipart.abort(key, uploadId, look))
  const again = objects.map((key) => ({ key }))
  const deleted = isDoubted ? 0 : await each('objects', again, ({ key }) => store.delete(key, look))
  const drift = { store: store.id, listed, unknown, foreign, deleted, aborted, left: found - deleted - aborted, unread }
  report(ctx, drift, survey)
  return drift
}

const report = ({ logger }: Context, drift: StoreDrift, { examples, failure }: Survey): void => {
  const { store, foreign, deleted, aborted, left, unread } = drift
  if (unread.length > 0)
    logger.error(
      { event: 'reconcile_failed', store, unread, err: failure },
      'A store could not be listed to its end; it is tried again tomorrow.',
    )
  if (foreign > 0)
    logger.error(
      { event: 'reconcile_foreign', store, foreign, examples },
      'A store holds what neither a row nor the history of this database knows, and it was left alone: was the database restored from a backup, or does another one use the same bucket and prefix?',
    )
  const level = deleted + aborted + left > 0 ? 'warn' : 'info'
  logger[level]({ event: 'storage_reconciled', ...drift }, 'What storage lists was held against the rows.')
}

const batchSize = 100
const atOnce = 8

/** Says which keys, then takes them away. @returns of how many it succeeded. One that fails does not keep the others waiting. */
const takingAway = ({ logger }: Context, store: Store, { signal }: Look) => {
  let isTold = false
  return async <T extends { readonly key: string }>(
    what: 'objects' | 'uploads',
    items: readonly T[],
    run: (item: T) => Promise<void>,
  ): Promise<number> => {
    let done = 0
    const work = async (waiting: T[]): Promise<void> => {
      for (let item = waiting.pop(); item !== undefined && !signal?.aborted; item = waiting.pop()) {
        try {
          await run(item)
          done += 1
        } catch (err) {
          if (isTold || signal?.aborted) continue
          isTold = true
          logger.warn({ event: 'stray_kept', store: store.id, err }, 'Not everything could be taken away; `left` says how much stayed.')
        }
      }
    }
    for (let from = 0; from < items.length && !signal?.aborted; from += batchSize) {
      const batch = items.slice(from, from + batchSize)
      logger.warn(
        { event: 'strays_taken', store: store.id, what, keys: batch.map(({ key }) => key) },
        'What came back is taken away again.',
      )
      await Promise.all(Array.from({ length: Math.min(atOnce, batch.length) }, () => work(batch)))
    }
    return done
  }
}
