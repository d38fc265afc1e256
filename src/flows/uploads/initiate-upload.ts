import type { RindleContext } from '../../context.ts'
import { judgeDeclaration, profileNamed, type UploadWish } from '../../core/admission.ts'
import { RindleError } from '../../core/errors.ts'
import { refuseLargePut } from '../../core/multipart.ts'
import { sessionTtlSeconds, type UploadSession } from '../../core/upload-session.ts'
import type { Queryable } from '../../database/database.ts'
import { openSession } from '../steps/open-session.ts'

export interface InitiateUploadOptions extends UploadWish {
  /** How many bytes will be sent. */
  readonly byteSize: number
  /** How long the session stays open, 60 seconds to a week. Default a day; each ticket lives at most 15 minutes. */
  readonly expiresInSeconds?: number
  /** The app's own open transaction: the session is there when it commits, or not at all. */
  readonly tx?: unknown
}

/**
 * Opens an upload: a session, its asset in `staged`, and a key reserved in storage, by one statement. Everything that can be known
 * before the bytes is judged first, so that a refusal leaves no row.
 *
 * With an idempotency key the first session of the same profile and owner is returned for as long as it is open or completed.
 *
 * @throws RindleError `profile_unknown`, `owner_invalid`, `argument_invalid`, `upload_byte_size_required`, `upload_too_large`,
 * `upload_put_too_large` (then send it in parts), `extension_missing`, `upload_extension_not_allowed`, `upload_type_not_allowed`,
 * `upload_unsupported`, `idempotency_key_reused`, `transaction_conflict`
 */
export async function initiateUpload(
  ctx: Pick<RindleContext, 'db' | 'stores' | 'queue' | 'clock' | 'ids' | 'profiles'>,
  profileName: string,
  options: InitiateUploadOptions,
): Promise<UploadSession> {
  const profile = profileNamed(ctx.profiles, profileName)
  if (options.byteSize === undefined || options.byteSize === null) throw new RindleError('upload_byte_size_required', {})
  const declaration = judgeDeclaration(profile, options)
  const ttlSeconds = sessionTtlSeconds(options.expiresInSeconds)
  const store = ctx.stores.of(profileName)
  if (!store.supports('presigned_put') && !store.supports('hosted'))
    throw new RindleError('upload_unsupported', { capability: 'presigned_put', store: store.id })
  refuseLargePut(store, declaration.byteSize)

  const opening = { profile: profileName, store: store.id, declaration, partBytes: null, ttlSeconds }
  const open = (db: Queryable) => openSession(ctx, db, opening)
  return options.tx === undefined ? open(ctx.db.pool) : ctx.db.within(options.tx, open)
}
