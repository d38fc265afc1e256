import type { RindleContext } from '../../context.ts'
import { judgeParts, type SentPart } from '../../core/multipart.ts'
import type { UploadSession } from '../../core/upload-session.ts'
import type { LandingObject } from '../../database/queries/upload-sessions.ts'

/**
 * Has storage make the object of the parts that it holds, when they are all there and as announced. Where there are no parts any more,
 * nothing is done: either they were put together before, or they are gone, and only a look at the key tells which.
 *
 * @returns whether storage says that it has put them together now.
 * @throws RindleError `upload_parts_missing`, `upload_parts_mismatch`, `argument_invalid`, `object_parts_changed` (retryable),
 * `storage_failed`
 */
export async function assembleParts(
  ctx: Pick<RindleContext, 'stores'>,
  { session, object, sent }: { readonly session: UploadSession; readonly object: LandingObject; readonly sent: readonly SentPart[] | null },
): Promise<boolean> {
  const { key, uploadId } = object
  const { multipart } = ctx.stores.at(object.store)
  const stored = uploadId === null ? [] : await multipart.listParts(key, uploadId)
  if (stored === null) return false
  const parts = judgeParts(session, stored, sent)
  return uploadId !== null && multipart.complete(key, uploadId, parts)
}
