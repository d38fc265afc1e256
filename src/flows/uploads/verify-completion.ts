import type { RindleContext } from '../../context.ts'
import type { VerifiedUpload } from '../../core/upload-session.ts'
import { assembleParts } from '../steps/assemble-parts.ts'
import { landUpload } from '../steps/land-upload.ts'

/**
 * Decides whether the bytes that a client says it sent are really in storage, and if so hands the asset to the worker. What came in parts
 * is put together first.
 *
 * Look, touch, settle: what is touched may be touched twice, so there is no claim. Of two callers one settles; the other finds the session
 * completed and gets the same answer, as does everyone who asks later. Bytes of another length or type are thrown away: the session
 * is open again, and signing it gives a fresh key. What is in the file is the gate's to say, and its verdict is on the asset.
 *
 * @throws RindleError `upload_session_not_found`, `upload_session_expired`, `upload_session_ended`, `upload_object_missing` (retryable),
 * `upload_size_mismatch`, `upload_type_mismatch`, `upload_parts_missing` (retryable), `upload_parts_mismatch`,
 * `object_parts_changed` (retryable), `storage_failed`
 */
export async function verifyCompletion(
  ctx: Pick<RindleContext, 'db' | 'stores' | 'queue' | 'clock' | 'ids' | 'changes'>,
  sessionId: string,
): Promise<VerifiedUpload> {
  return landUpload(ctx, sessionId, { assemble: (session, object) => assembleParts(ctx, { session, object, sent: null }) })
}
