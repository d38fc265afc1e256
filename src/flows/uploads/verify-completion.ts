import type { RindleContext } from '../../context.ts'
import type { Asset } from '../../core/asset.ts'
import { canonicalType } from '../../core/content-type.ts'
import { RindleError } from '../../core/errors.ts'
import { stagingKey } from '../../core/object-key.ts'
import type { ObjectHead } from '../../core/ports/storage.ts'
import type { UploadSession } from '../../core/upload-session.ts'
import { lookAgainOnMiss } from '../../database/move.ts'
import { completeUpload, findUpload, retryUpload, type StagingObject, type Upload } from '../../database/queries/upload-sessions.ts'

export interface VerifiedUpload {
  readonly session: UploadSession
  readonly asset: Asset
}

/**
 * Decides whether the bytes that a client says it sent are really in storage, and if so hands the asset to the worker.
 *
 * Look, touch, settle: looking changes nothing, so there is no claim. Of two callers one settles; the other finds the session
 * completed and gets the same answer, as does everyone who asks later. Bytes of another length or type are thrown away: the session
 * is open again, and signing it gives a fresh key. What is in the file is the gate's to say, and its verdict is on the asset.
 *
 * @throws RindleError `upload_session_not_found`, `upload_session_expired`, `upload_session_ended`, `upload_object_missing` (retryable),
 * `upload_size_mismatch`, `upload_type_mismatch`
 */
export async function verifyCompletion(
  ctx: Pick<RindleContext, 'db' | 'stores' | 'queue' | 'clock' | 'ids' | 'changes'>,
  sessionId: string,
): Promise<VerifiedUpload> {
  return lookAgainOnMiss(async () => {
    const upload = await findUpload(ctx.db.pool, sessionId)
    if (!upload) throw new RindleError('upload_session_not_found', { sessionId })
    const { session, asset, object } = upload
    if (session.state === 'completed') return { session, asset }
    refuseEnded(session, ctx.clock.now())
    if (!object || session.state === 'initialized' || session.uploadStrategy === 'proxied')
      throw new RindleError('upload_object_missing', { sessionId })

    const head = await ctx.stores.at(object.store).head(object.key)
    if (!head) throw new RindleError('upload_object_missing', { sessionId })
    const mismatch = mismatchOf(session, head)
    if (mismatch) {
      await beginAgain(ctx, upload, object)
      throw mismatch
    }
    const verified = await completeUpload(ctx.db.pool, ctx, { session, object, head })
    ctx.changes.announce(asset.id)
    return { session: verified.session, asset: verified.asset }
  })
}

const refuseEnded = (session: UploadSession, now: Date): void => {
  const { id: sessionId, state } = session
  if (state === 'aborted' || state === 'failed') throw new RindleError('upload_session_ended', { sessionId, state })
  if (state === 'expired' || session.expiresAt <= now) throw new RindleError('upload_session_expired', { sessionId })
}

const mismatchOf = (session: UploadSession, head: ObjectHead): RindleError | null => {
  const { id: sessionId, declaredBytes, declaredType } = session
  if (declaredBytes !== null && head.sizeBytes !== declaredBytes)
    return new RindleError('upload_size_mismatch', { sessionId, expectedBytes: declaredBytes, actualBytes: head.sizeBytes })
  if (head.contentType !== null && canonicalType(head.contentType) !== declaredType)
    return new RindleError('upload_type_mismatch', { sessionId, expectedType: declaredType, actualType: head.contentType })
  return null
}

const beginAgain = async (
  ctx: Pick<RindleContext, 'db' | 'queue' | 'clock' | 'ids'>,
  { session }: Upload,
  wrong: StagingObject,
): Promise<void> => {
  const id = ctx.ids.next()
  await retryUpload(ctx.db.pool, ctx, { session, wrong, fresh: { id, store: wrong.store, key: stagingKey(session.id, id) } })
}
