import type { RindleContext } from '../../context.ts'
import { sentPartsOf } from '../../core/multipart.ts'
import type { VerifiedUpload } from '../../core/upload-session.ts'
import { assembleParts } from '../steps/assemble-parts.ts'
import { landUpload } from '../steps/land-upload.ts'

/**
 * Has storage put the parts of an upload together, and hands the asset to the worker. What storage lists decides: the client's own list
 * is not needed, and where it is given it has to agree.
 *
 * Asking again changes nothing and gives the same answer, also at the same time and when an earlier answer was lost. While parts are
 * missing or wrong nothing is put together: sign and send them, then ask again. Where storage has given the parts up, or what they made is
 * not what was announced, the session goes on with a fresh key, and every part is to be sent again.
 *
 * @throws RindleError `upload_session_not_found`, `upload_session_expired`, `upload_session_ended`, `upload_unsupported`, `argument_invalid`,
 * `upload_parts_missing` (retryable), `upload_parts_mismatch`, `object_parts_changed` (retryable), `upload_size_mismatch`,
 * `upload_type_mismatch`, `storage_failed`
 */
export async function completeMultipartUpload(
  ctx: Pick<RindleContext, 'db' | 'stores' | 'queue' | 'clock' | 'ids' | 'changes'>,
  sessionId: string,
  parts?: unknown,
): Promise<VerifiedUpload> {
  const sent = parts === undefined ? null : sentPartsOf(parts)
  return landUpload(ctx, sessionId, {
    only: 'multipart',
    assemble: (session, object) => assembleParts(ctx, { session, object, sent }),
  })
}
