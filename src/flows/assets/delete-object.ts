import type { RindleContext } from '../../context.ts'
import { isMissed } from '../../database/move.ts'
import { type CondemnedObject, findCondemnedObject, postponeDeletion, removeObject, watchObject } from '../../database/queries/purge.ts'

const firstDelaySeconds = 10
const longestDelaySeconds = 3_600
/** Longer than any storage takes to answer; the deletion is then tried again. */
const patienceMs = 60_000

type Deleting = Pick<RindleContext, 'db' | 'queue' | 'clock' | 'stores' | 'logger'>

/**
 * Deletes one doomed object from storage, with the parts of an upload that was to become it; what is gone already counts as deleted. Its row
 * goes at once when nothing can land at its key any more. Otherwise it is watched, and deleted once more when the watch ends. A storage that
 * fails is asked again, less and less often, up to hourly. Deleting twice does no harm, so nothing is claimed: two workers may both delete,
 * and one records it.
 */
export async function deleteObject(ctx: Deleting, objectId: string, options: { readonly signal?: AbortSignal } = {}): Promise<void> {
  const object = await findCondemnedObject(ctx.db.pool, objectId)
  const begunAt = ctx.clock.now()
  if (!object || (object.state === 'watched' && isWatched(object, begunAt))) return
  const patience = AbortSignal.timeout(patienceMs)
  try {
    const signal = options.signal ? AbortSignal.any([options.signal, patience]) : patience
    const store = ctx.stores.at(object.store)
    // In this order, since an upload that was completed in between has become an object.
    if (object.uploadId !== null) await store.multipart.abort(object.key, object.uploadId, { signal })
    await store.delete(object.key, { signal })
  } catch (err) {
    if (options.signal?.aborted) return
    const delaySeconds = delayAfter(ctx, object)
    ctx.logger.warn(
      { event: 'deletion_postponed', objectId, store: object.store, err, delaySeconds },
      'An object could not be deleted; it is tried again later.',
    )
    return postponeDeletion(ctx.db.pool, ctx, object, delaySeconds)
  }
  await settle(ctx, object, begunAt)
}

/** A deletion counts for the time before it began alone: a late write may have landed while it was under way. */
const settle = async (ctx: Deleting, object: CondemnedObject, begunAt: Date): Promise<void> => {
  try {
    if (isWatched(object, begunAt)) await watchObject(ctx.db.pool, ctx, object.id, begunAt)
    else await removeObject(ctx.db.pool, ctx, object, begunAt)
  } catch (err) {
    if (!isMissed(err)) throw err
  }
}

/** The older the failure, the longer until the next attempt: each waits as long as has passed so far. */
const delayAfter = (ctx: Deleting, { since }: CondemnedObject): number => {
  const passed = Math.round((ctx.clock.now().getTime() - since.getTime()) / 1000)
  return Math.min(longestDelaySeconds, Math.max(firstDelaySeconds, passed))
}

const isWatched = ({ watchUntil }: CondemnedObject, at: Date): boolean => watchUntil !== null && watchUntil > at
