import type { RindleContext } from '../../context.ts'
import { RindleError } from '../../core/errors.ts'
import type { UploadSessionState } from '../../core/upload-session.ts'
import type { Queryable } from '../../database/database.ts'
import { type EndMove, endUpload, lockAssetOfSession } from '../../database/queries/upload-ends.ts'
import { findUploadSession } from '../../database/queries/upload-sessions.ts'

/**
 * Ends an open upload: its asset goes, its session is over, and what was or still is being written is deleted, an hour later at the
 * earliest. It races verification, and exactly one of the two wins.
 *
 * Needs a transaction to itself: the asset is locked in one statement and decided upon in the next.
 *
 * @returns the state the session is in now: the one asked for, or the one it had ended in already.
 * @throws RindleError `upload_session_not_found`; `statement_missed` when it is not yet due to `expire`.
 */
export async function endSession(
  ctx: Pick<RindleContext, 'queue' | 'clock'>,
  tx: Queryable,
  sessionId: string,
  how: EndMove,
): Promise<UploadSessionState> {
  await lockAssetOfSession(tx, sessionId)
  const session = await findUploadSession(tx, sessionId)
  if (!session) throw new RindleError('upload_session_not_found', { sessionId })
  if (session.objectId === null) return session.state
  return endUpload(tx, ctx, { sessionId, how })
}
