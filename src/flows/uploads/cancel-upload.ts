import type { RindleContext } from '../../context.ts'
import { RindleError } from '../../core/errors.ts'
import type { UploadSession } from '../../core/upload-session.ts'
import { findUploadSession } from '../../database/queries/upload-sessions.ts'
import { endSession } from '../steps/end-session.ts'

/**
 * Gives up an upload that was not verified. Its tickets lead nowhere any more, and what they still bring is deleted. Cancelling one
 * that has ended without its file changes nothing.
 *
 * @throws RindleError `upload_session_not_found`; `upload_session_ended` when it was verified: then purge the asset instead.
 */
export async function cancelUpload(
  ctx: Pick<RindleContext, 'db' | 'queue' | 'clock' | 'changes'>,
  sessionId: string,
): Promise<UploadSession> {
  const state = await ctx.db.transaction((tx) => endSession(ctx, tx, sessionId, 'abort'))
  if (state === 'completed') throw new RindleError('upload_session_ended', { sessionId, state })
  const session = await findUploadSession(ctx.db.pool, sessionId)
  if (!session) throw new RindleError('upload_session_not_found', { sessionId })
  ctx.changes.announce(session.assetId)
  return session
}
