import type { RindleContext } from '../../context.ts'
import { judgeDeclaration, profileNamed, type UploadWish } from '../../core/admission.ts'
import { RindleError } from '../../core/errors.ts'
import { type PartPlan, planParts } from '../../core/multipart.ts'
import { problemOfSession, sessionTtlSeconds, type UploadSession } from '../../core/upload-session.ts'
import { lookAgainOnMiss } from '../../database/move.ts'
import { findUpload } from '../../database/queries/upload-sessions.ts'
import { beginParts } from '../steps/begin-parts.ts'
import { endSession } from '../steps/end-session.ts'
import { openSession } from '../steps/open-session.ts'

export interface InitiateMultipartUploadOptions extends UploadWish {
  /** How many bytes will be sent. */
  readonly byteSize: number
  /** How many each part but the last has. Default 8 MiB; more where the file would have too many parts. */
  readonly partBytes?: number | undefined
  /** How long the session stays open, 60 seconds to a week. Default a day; each ticket lives at most 15 minutes. */
  readonly expiresInSeconds?: number | undefined
}

export interface MultipartUpload {
  readonly session: UploadSession
  /** How the file is to be cut: every part has `partBytes` but the last, which has what is left. */
  readonly multipart: PartPlan
}

/**
 * Opens an upload that comes in parts: a session, its asset in `staged` and a key reserved in storage, then the upload in storage itself.
 * Everything that can be known before the bytes is judged first, so that a refusal leaves no row. Storage is touched, so there is no `{ tx }`.
 *
 * With an idempotency key the first session of the same profile and owner is returned for as long as it is open or completed. Where
 * storage fails, a session without a key is given up; one with a key waits for the call to be repeated.
 *
 * @throws RindleError `profile_unknown`, `owner_invalid`, `argument_invalid`, `upload_byte_size_required`, `upload_too_large`,
 * `extension_missing`, `upload_extension_not_allowed`, `upload_type_not_allowed`, `upload_unsupported`, `idempotency_key_reused`,
 * `transaction_conflict`, `upload_session_expired`, `upload_session_ended`, `storage_failed`
 */
export async function initiateMultipartUpload(
  ctx: Pick<RindleContext, 'db' | 'stores' | 'queue' | 'clock' | 'ids' | 'profiles'>,
  profileName: string,
  options: InitiateMultipartUploadOptions,
): Promise<MultipartUpload> {
  const profile = profileNamed(ctx.profiles, profileName)
  const declaration = judgeDeclaration(profile, options)
  if (declaration.byteSize === null) throw new RindleError('upload_byte_size_required', {})
  const ttlSeconds = sessionTtlSeconds(options.expiresInSeconds)
  const store = ctx.stores.of(profileName)
  const multipart = planParts(declaration.byteSize, store.multipart.limits, options.partBytes)
  const opening = { profile: profileName, store: store.id, declaration, partBytes: multipart.partBytes, ttlSeconds }
  const session = await openSession(ctx, ctx.db.pool, opening)
  try {
    await begin(ctx, session.id)
  } catch (err) {
    const isNameless = declaration.idempotencyKey === null
    if (isNameless) await ctx.db.transaction((tx) => endSession(ctx, tx, session.id, 'abort')).catch(() => undefined)
    throw err
  }
  return { session, multipart }
}

const begin = (ctx: Pick<RindleContext, 'db' | 'stores' | 'clock'>, sessionId: string): Promise<void> =>
  lookAgainOnMiss(async () => {
    const upload = await findUpload(ctx.db.pool, sessionId)
    if (!upload) throw new RindleError('upload_session_not_found', { sessionId })
    const { session, object } = upload
    if (session.state === 'completed') return
    const problem = problemOfSession(session, ctx.clock.now())
    if (problem) throw problem
    if (object) await beginParts(ctx, session, object)
  })
