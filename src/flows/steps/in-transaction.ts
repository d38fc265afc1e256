import type { RindleContext } from '../../context.ts'
import type { Queryable } from '../../database/database.ts'
import { lockName } from '../../database/queries/lock-name.ts'

/**
 * Runs `run` in the adopter's transaction when there is one, else in one of ours, which is tried again when it meets another. With
 * `lockFirst` it waits for the advisory lock of that name and holds it until the transaction ends, and is told how isolated that is.
 */
export const inTransaction = <T>(
  ctx: Pick<RindleContext, 'db'>,
  tx: unknown,
  run: (tx: Queryable, isolation: string) => Promise<T>,
  lockFirst?: string,
): Promise<T> => {
  if (tx === undefined) return ctx.db.transaction((open) => run(open, ours), lockFirst)
  return ctx.db.within(tx, async (open) => run(open, lockFirst === undefined ? ours : await lockName(open, lockFirst)))
}

const ours = 'read committed'
