import type { RindleContext } from '../../context.ts'
import { RindleError } from '../../core/errors.ts'
import type { UploadSession } from '../../core/upload-session.ts'
import { keepUploadId } from '../../database/queries/upload-parts.ts'
import type { LandingObject } from '../../database/queries/upload-sessions.ts'

/**
 * Sees to it that storage awaits the parts of an object, and that the row knows under which name. Whoever comes after a crash in between
 * begins another upload to the same key: only the one on the row is ever given tickets. What cannot be recorded any more is given up at once.
 *
 * @throws RindleError `statement_missed` when another has begun it meanwhile, or nobody awaits the object any more: look again.
 */
export async function beginParts(
  ctx: Pick<RindleContext, 'db' | 'stores'>,
  { declaredType }: UploadSession,
  object: LandingObject,
): Promise<LandingObject & { readonly uploadId: string }> {
  const { uploadId: known, ...place } = object
  if (known !== null) return { ...place, uploadId: known }
  const { multipart } = ctx.stores.at(object.store)
  const uploadId = await multipart.create(object.key, { contentType: declaredType })
  if (await keepUploadId(ctx.db.pool, { objectId: object.id, uploadId })) return { ...place, uploadId }
  await multipart.abort(object.key, uploadId).catch(() => undefined)
  throw new RindleError('statement_missed', { step: 'upload_id' })
}
