import type { RindleContext } from '../../context.ts'
import { canonicalType } from '../../core/content-type.ts'
import { RindleError } from '../../core/errors.ts'
import { everyPartMissing } from '../../core/multipart.ts'
import { stagingKey } from '../../core/object-key.ts'
import type { ObjectHead } from '../../core/ports/storage.ts'
import { problemOfSession, type UploadSession, type VerifiedUpload } from '../../core/upload-session.ts'
import { lookAgainOnMiss } from '../../database/move.ts'
import { retryUpload } from '../../database/queries/upload-ends.ts'
import { completeUpload, findUpload, type LandingObject } from '../../database/queries/upload-sessions.ts'

type Context = Pick<RindleContext, 'db' | 'stores' | 'queue' | 'clock' | 'ids' | 'changes'>

interface Landing {
  /** Puts together what came in parts; called for those sessions alone. True when storage says that it has just done so. */
  readonly assemble: (session: UploadSession, object: LandingObject) => Promise<boolean>
  /** Sessions of another kind are refused. */
  readonly only?: 'multipart'
}

/**
 * Looks whether what an upload announced is in storage, and if so makes the asset its owner and hands it to the worker. Of several callers
 * one settles; the others find the session completed and get the same answer. Where what landed is wrong, or can never be put together, a
 * fresh key is reserved: the session is open, and signing it leads there.
 *
 * @throws RindleError `upload_session_not_found`, `upload_session_expired`, `upload_session_ended`, `upload_unsupported`,
 * `upload_object_missing` (retryable), `upload_size_mismatch`, `upload_type_mismatch`, `storage_failed`, and what `assemble` throws.
 */
export async function landUpload(ctx: Context, sessionId: string, { assemble, only }: Landing): Promise<VerifiedUpload> {
  return lookAgainOnMiss(async () => {
    const upload = await findUpload(ctx.db.pool, sessionId)
    if (!upload) throw new RindleError('upload_session_not_found', { sessionId })
    const { session, asset, object } = upload
    const { state, uploadStrategy } = session
    if (only && uploadStrategy !== only) throw new RindleError('upload_unsupported', { capability: 'multipart_upload', uploadStrategy })
    if (state === 'completed') return { session, asset }
    const problem = problemOfSession(session, ctx.clock.now())
    if (problem) throw problem
    if (!object || state === 'initialized' || uploadStrategy === 'proxied') throw nothingThere(session)

    const isWhole = uploadStrategy === 'multipart' && (await assemble(session, object))
    const head = await ctx.stores.at(object.store).head(object.key)
    if (!head && isWhole) throw new RindleError('storage_failed', { operation: 'find what it has just put together', store: object.store })
    if (!head && uploadStrategy !== 'multipart') throw nothingThere(session)
    const wrong = head ? mismatchOf(session, head) : nothingThere(session)
    if (!head || wrong) {
      await beginAgain(ctx, session, object)
      throw wrong
    }
    const verified = await completeUpload(ctx.db.pool, ctx, { session, object, head })
    ctx.changes.announce(asset.id)
    return { session: verified.session, asset: verified.asset }
  })
}

const nothingThere = (session: UploadSession): RindleError =>
  session.uploadStrategy === 'multipart' ? everyPartMissing(session) : new RindleError('upload_object_missing', { sessionId: session.id })

const mismatchOf = (session: UploadSession, head: ObjectHead): RindleError | null => {
  const { id: sessionId, declaredBytes, declaredType } = session
  if (declaredBytes !== null && head.sizeBytes !== declaredBytes)
    return new RindleError('upload_size_mismatch', { sessionId, expectedBytes: declaredBytes, actualBytes: head.sizeBytes })
  if (head.contentType !== null && canonicalType(head.contentType) !== declaredType)
    return new RindleError('upload_type_mismatch', { sessionId, expectedType: declaredType, actualType: head.contentType })
  return null
}

const beginAgain = async (ctx: Context, session: UploadSession, wrong: LandingObject): Promise<void> => {
  const id = ctx.ids.next()
  await retryUpload(ctx.db.pool, ctx, { session, wrong, fresh: { id, store: wrong.store, key: stagingKey(session.id, id) } })
}
