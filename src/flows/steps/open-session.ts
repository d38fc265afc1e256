import type { RindleContext } from '../../context.ts'
import { type Declaration, sameDeclaration } from '../../core/admission.ts'
import { RindleError } from '../../core/errors.ts'
import { stagingKey } from '../../core/object-key.ts'
import { secondsAfter } from '../../core/patience.ts'
import type { UploadSession } from '../../core/upload-session.ts'
import type { Queryable } from '../../database/database.ts'
import { findUploadByKey, insertUpload } from '../../database/queries/upload-sessions.ts'

interface Opening {
  readonly profile: string
  /** The id of the store that will hold the bytes. */
  readonly store: string
  readonly declaration: Declaration
  /** Null when the file comes by one PUT. */
  readonly partBytes: number | null
  readonly ttlSeconds: number
}

/** So often may a session that holds the idempotency key end in the moment between two statements. */
const attempts = 8

/**
 * Opens an upload that a client sends to storage itself: a session, its asset in `staged` and a reserved key, by one statement. With an
 * idempotency key that was used before it is the first session, if that declared the same file cut the same way.
 *
 * @throws RindleError `idempotency_key_reused`, `transaction_conflict`
 */
export async function openSession(
  ctx: Pick<RindleContext, 'queue' | 'clock' | 'ids'>,
  db: Queryable,
  opening: Opening,
): Promise<UploadSession> {
  const { profile, store, declaration, partBytes, ttlSeconds } = opening
  for (let left = attempts; left > 0; left -= 1) {
    const [sessionId, assetId, objectId] = [ctx.ids.next(), ctx.ids.next(), ctx.ids.next()]
    const expiresAt = secondsAfter(ctx.clock.now(), ttlSeconds)
    const object = { id: objectId, store, key: stagingKey(sessionId, objectId) }
    const written = await insertUpload(db, ctx, {
      sessionId,
      assetId,
      object,
      profile,
      ...declaration,
      strategy: partBytes === null ? 'presigned_put' : 'multipart',
      partBytes,
      dueAt: expiresAt,
      expiresAt,
    })
    if (written) return written
    const first = await firstSession(db, opening)
    if (first) return first
  }
  throw new RindleError('transaction_conflict', { operation: partBytes === null ? 'initiateUpload' : 'initiateMultipartUpload' })
}

/** Null when the session that held the key ended in the moment between. */
const firstSession = async (db: Queryable, { profile, declaration, partBytes }: Opening): Promise<UploadSession | null> => {
  const { owner, idempotencyKey } = declaration
  if (owner === null || idempotencyKey === null) return null
  const first = await findUploadByKey(db, { profile, owner, idempotencyKey })
  if (!first) return null
  if (!sameDeclaration(first, declaration) || first.session.partBytes !== partBytes)
    throw new RindleError('idempotency_key_reused', { sessionId: first.session.id })
  return first.session
}
