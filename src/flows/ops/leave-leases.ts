import type { RindleContext } from '../../context.ts'
import { leaveLease } from '../../database/queries/leases.ts'

/** Lets go of what a worker that stops holds for all, so that another goes on at once. */
export async function leaveLeases(ctx: Pick<RindleContext, 'db'>, holder: string): Promise<void> {
  for (const name of ['sweep', 'events'] as const) await leaveLease(ctx.db.pool, { name, holder })
}
