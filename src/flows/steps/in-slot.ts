import type { RindleContext } from '../../context.ts'
import { RindleError } from '../../core/errors.ts'
import type { Queryable } from '../../database/database.ts'
import { listIdsInSlot, type SlotKey, slotText } from '../../database/queries/attachments.ts'
import { lockName } from '../../database/queries/lock-name.ts'

type Context = Pick<RindleContext, 'db' | 'clock'>

/**
 * Runs `run` while nobody else decides what stands in a slot, in the adopter's transaction when there is one, else in one of ours. A
 * transaction that keeps to an older view, at `repeatable read`, would take a slot for empty that was filled since: it is told so instead.
 *
 * @throws RindleError `transaction_conflict`
 */
export const inSlot = <T>(ctx: Context, tx: unknown, key: SlotKey, run: (tx: Queryable) => Promise<T>): Promise<T> => {
  const lock = slotText(key)
  if (tx === undefined) return ctx.db.transaction(run, lock)
  return ctx.db.within(tx, async (open) => {
    const isolation = await lockName(open, lock)
    if (isolation !== 'read committed' && ctx.db.engine === 'postgres') await refuseOldView(ctx, open, key)
    return run(open)
  })
}

/** Longer than a look takes, unless all connections are held by transactions that wait for one themselves. */
const lookMs = 5_000

/** What changed since is met by whoever locks it; only what was added cannot be seen from inside. */
const refuseOldView = async (ctx: Context, tx: Queryable, key: SlotKey): Promise<void> => {
  const seen = new Set(await listIdsInSlot(tx, key))
  const ender = new AbortController()
  const late = ctx.clock.sleep(lookMs, ender.signal).then(
    () => null,
    () => null,
  )
  const standing = await Promise.race([listIdsInSlot(ctx.db.committed, key), late])
  ender.abort()
  if (standing === null || standing.some((id) => !seen.has(id))) throw new RindleError('transaction_conflict', { operation: 'The call' })
}
