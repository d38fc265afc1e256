import type { RindleContext } from '../../context.ts'
import type { UploadSession } from '../../core/upload-session.ts'
import { findUploadSession } from '../../database/queries/upload-sessions.ts'

/** An upload session as it stands; null when there is none, or when it ended so long ago that it was forgotten. */
export async function uploadSession(ctx: Pick<RindleContext, 'db'>, sessionId: string): Promise<UploadSession | null> {
  return findUploadSession(ctx.db.pool, sessionId)
}
