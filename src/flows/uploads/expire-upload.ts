import type { RindleContext } from '../../context.ts'
import { isRindleError } from '../../core/errors.ts'
import { isMissed } from '../../database/move.ts'
import { endSession } from '../steps/end-session.ts'

/** Ends an upload whose time is up: the sweep's cure for an open session. @returns false when it is not due, or has ended already. */
export async function expireUpload(ctx: Pick<RindleContext, 'db' | 'queue' | 'clock'>, sessionId: string): Promise<boolean> {
  try {
    return (await ctx.db.transaction((tx) => endSession(ctx, tx, sessionId, 'expire'))) === 'expired'
  } catch (err) {
    if (isMissed(err) || (isRindleError(err) && err.code === 'upload_session_not_found')) return false
    throw err
  }
}
