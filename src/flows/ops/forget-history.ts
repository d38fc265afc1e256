import type { RindleContext } from '../../context.ts'
import { secondsAfter } from '../../core/patience.ts'
import { historySeconds } from '../../core/schedule.ts'
import { deleteOldMoves } from '../../database/queries/events.ts'

const batch = 1_000
const batches = 10

/** Forgets history older than thirty days, at most 10,000 rows a call, and jobs whose worker was killed long ago. */
export async function forgetHistory(
  ctx: Pick<RindleContext, 'db' | 'queue' | 'clock'>,
  options: { readonly signal?: AbortSignal } = {},
): Promise<void> {
  const before = secondsAfter(ctx.clock.now(), -historySeconds)
  for (let count = 0; count < batches && !options.signal?.aborted; count += 1) {
    if ((await deleteOldMoves(ctx.db.pool, before, batch)) < batch) break
  }
  await ctx.queue.tidy()
}
