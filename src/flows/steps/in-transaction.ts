import type { RindleContext } from '../../context.ts'
import type { Queryable } from '../../database/database.ts'

/** Runs `run` in the adopter's transaction when there is one, else in one of ours, which is tried again when it meets another. */
export const inTransaction = <T>(ctx: Pick<RindleContext, 'db'>, tx: unknown, run: (tx: Queryable) => Promise<T>): Promise<T> =>
  tx === undefined ? ctx.db.transaction(run) : ctx.db.within(tx, run)
