import type { RindleContext } from '../../context.ts'
import { isRindleError } from '../../core/errors.ts'
import { isOwnKey, ownRoles } from '../../core/object-key.ts'
import { secondsAfter } from '../../core/patience.ts'
import type { CallOptions } from '../../core/ports/storage.ts'
import { reconcileEverySeconds, strayAfterSeconds, strayLimit } from '../../core/schedule.ts'
import { listKnownKeys, listOpenUploads, type NamedUpload } from '../../database/queries/drift.ts'
import { holdLease, isClockDoubted, leaveLease } from '../../database/queries/leases.ts'

type Context = Pick<RindleContext, 'db' | 'stores' | 'clock' | 'logger'>
type Store = ReturnType<Context['stores']['at']>

/** What a store lists that no row answers for, and what became of it. */
export interface StoreDrift {
  readonly store: string
  /** Objects with keys of the library's own making. */
  readonly listed: number
  /** Those of them that no row knows. */
  readonly unknown: number
  readonly deleted: number
  readonly aborted: number
  /** What could not be taken away, or was too much for one time. The next time finds it again. */
  readonly left: number
  /** True when so much is unknown that the store must be taken for somebody else's; then nothing was touched. */
  readonly refused: boolean
}

export interface Reconciliation {
  /** `elsewhere`: a worker has done it within the day, or is at it. `stopped`: told to stop before its end. */
  readonly outcome: 'done' | 'elsewhere' | 'doubted' | 'stopped'
  readonly stores: readonly StoreDrift[]
}

/**
 * Holds what every store lists against the rows, once a day for all workers of a database, and takes away what nothing answers for: objects
 * without a row, and uploads in parts that no open session names. Both only a day after they were begun, and only at keys that this library
 * alone makes: never below `unmanaged/`, never what others keep in the bucket. A store most of whose objects have no row here is another
 * environment's, and is left alone.
 *
 * Rows come before bytes, so there is normally nothing to find: only what a process began to write, was held up for hours, and then sent.
 * While the clocks are doubted nothing is touched. A store that fails is left until the next time.
 */
export async function reconcileStorage(
  ctx: Context,
  { holder, signal }: { readonly holder: string; readonly signal?: AbortSignal },
): Promise<Reconciliation> {
  const at = ctx.clock.now()
  if (await isClockDoubted(ctx.db.pool, at)) return { outcome: 'doubted', stores: [] }
  if (!(await holdLease(ctx.db.pool, { name: 'reconcile', holder, at, seconds: reconcileEverySeconds })))
    return { outcome: 'elsewhere', stores: [] }

  const stores: StoreDrift[] = []
  for (const store of ctx.stores.all()) {
    const drift = await reconcileStore(ctx, store, { before: secondsAfter(at, -strayAfterSeconds), ...(signal ? { signal } : {}) })
    if (drift) stores.push(drift)
    if (!signal?.aborted) continue
    await leaveLease(ctx.db.pool, { name: 'reconcile', holder })
    return { outcome: 'stopped', stores }
  }
  return { outcome: 'done', stores }
}

interface Look extends CallOptions {
  /** What was begun later is none of our business yet. */
  readonly before: Date
}

const reconcileStore = async (ctx: Context, store: Store, look: Look): Promise<StoreDrift | null> => {
  try {
    const drift = await takeAway(ctx, store, look)
    report(ctx, drift)
    return drift
  } catch (err) {
    if (look.signal?.aborted) return null
    if (isRindleError(err) && (err.code === 'database_unavailable' || err.code === 'rindle_closed')) throw err
    ctx.logger.error(
      { event: 'reconcile_failed', store: store.id, err },
      'A store could not be held against the rows; it is tried again tomorrow.',
    )
    return null
  }
}

const report = (ctx: Context, drift: StoreDrift): void => {
  const { refused, deleted, aborted, left } = drift
  if (refused)
    return ctx.logger.error(
      { event: 'reconcile_refused', ...drift },
      'Most of what this store lists has no row in this database, so nothing was deleted: does another environment use the same bucket and prefix?',
    )
  if (deleted + aborted + left === 0) return ctx.logger.info({ event: 'storage_reconciled', ...drift }, 'Storage holds what the rows say.')
  ctx.logger.warn({ event: 'storage_reconciled', ...drift }, 'Storage held what no row answers for.')
}

const takeAway = async (ctx: Context, store: Store, look: Look): Promise<StoreDrift> => {
  const { listed, unknown, strays } = await surveyObjects(ctx, store, look)
  const nothing = { store: store.id, listed, unknown, deleted: 0, aborted: 0, left: 0, refused: false }
  if (unknown * 2 > listed) return { ...nothing, refused: true }
  const uploads = store.supports('multipart_upload') ? await surveyUploads(ctx, store, look) : []
  // Listing takes its time, and what it found is judged by age.
  if (await isClockDoubted(ctx.db.pool, ctx.clock.now())) return { ...nothing, left: strays.length + uploads.length }

  const aborted = await each(ctx, uploads, look, ({ key, uploadId }) => store.multipart.abort(key, uploadId, signalOf(look)))
  const deleted = await each(ctx, strays, look, (key) => store.delete(key, signalOf(look)))
  return { ...nothing, deleted, aborted, left: strays.length + uploads.length - deleted - aborted }
}

interface Survey {
  readonly listed: number
  readonly unknown: number
  /** Keys of those that are old enough. */
  readonly strays: readonly string[]
}

const surveyObjects = async (ctx: Context, store: Store, look: Look): Promise<Survey> => {
  const strays: string[] = []
  let [listed, unknown] = [0, 0]
  for (const role of ownRoles) {
    for await (const page of pagesOf(store.list(`${role}/`, signalOf(look)))) {
      const own = page.filter(({ key }) => isOwnKey(key))
      const known = await listKnownKeys(ctx.db.pool, { store: store.id, keys: own.map(({ key }) => key) })
      const strangers = own.filter(({ key }) => !known.has(key))
      listed += own.length
      unknown += strangers.length
      for (const { key, modifiedAt } of strangers) if (modifiedAt < look.before && strays.length < strayLimit) strays.push(key)
    }
  }
  return { listed, unknown, strays }
}

const surveyUploads = async (ctx: Context, store: Store, look: Look): Promise<readonly NamedUpload[]> => {
  const abandoned: NamedUpload[] = []
  for (const role of ownRoles) {
    for await (const page of pagesOf(store.multipart.list(`${role}/`, signalOf(look)))) {
      const old = page.filter(({ key, startedAt }) => isOwnKey(key) && startedAt < look.before)
      const open = await listOpenUploads(ctx.db.pool, { store: store.id, uploads: old })
      abandoned.push(...old.filter(({ uploadId }) => !open.has(uploadId)))
      if (abandoned.length >= strayLimit) return abandoned.slice(0, strayLimit)
    }
  }
  return abandoned
}

const signalOf = ({ signal }: Look): CallOptions => (signal ? { signal } : {})

const pageSize = 1_000

async function* pagesOf<T>(items: AsyncIterable<T>): AsyncGenerator<readonly T[]> {
  let page: T[] = []
  for await (const item of items) {
    page.push(item)
    if (page.length < pageSize) continue
    yield page
    page = []
  }
  yield page
}

const atOnce = 8

/** @returns of how many it succeeded. One that fails does not keep the others waiting. */
const each = async <T>(ctx: Context, items: readonly T[], { signal }: Look, run: (item: T) => Promise<void>): Promise<number> => {
  const waiting = [...items]
  let done = 0
  const work = async (): Promise<void> => {
    for (let item = waiting.pop(); item !== undefined && !signal?.aborted; item = waiting.pop()) {
      try {
        await run(item)
        done += 1
      } catch (err) {
        if (!signal?.aborted) ctx.logger.warn({ event: 'stray_kept', err }, 'What no row answers for could not be taken away.')
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, work))
  return done
}
