import type { RindleContext } from '../../context.ts'
import { type Declaration, judgeDeclaration, profileNamed, sameDeclaration, type UploadWish } from '../../core/admission.ts'
import { RindleError } from '../../core/errors.ts'
import { stagingKey } from '../../core/object-key.ts'
import { secondsAfter } from '../../core/patience.ts'
import type { UploadSession } from '../../core/upload-session.ts'
import type { Queryable } from '../../database/database.ts'
import { findUploadByKey, insertUpload } from '../../database/queries/upload-sessions.ts'

export interface InitiateUploadOptions extends UploadWish {
  /** How many bytes will be sent. */
  readonly byteSize: number
  /** How long the session stays open, 60 seconds to a week. Default a day; each ticket lives at most 15 minutes. */
  readonly expiresInSeconds?: number
  /** The app's own open transaction: the session is there when it commits, or not at all. */
  readonly tx?: unknown
}

const defaultTtlSeconds = 86_400
const maxTtlSeconds = 604_800

/**
 * Opens an upload: a session, its asset in `staged`, and a key reserved in storage, by one statement. Everything that can be known
 * before the bytes is judged first, so that a refusal leaves no row.
 *
 * With an idempotency key the first session of the same profile and owner is returned for as long as it is open or completed.
 *
 * @throws RindleError `profile_unknown`, `owner_invalid`, `argument_invalid`, `upload_byte_size_required`, `upload_too_large`,
 * `extension_missing`, `upload_extension_not_allowed`, `upload_type_not_allowed`, `upload_unsupported`, `idempotency_key_reused`, `transaction_conflict`
 */
export async function initiateUpload(
  ctx: Pick<RindleContext, 'db' | 'stores' | 'queue' | 'clock' | 'ids' | 'profiles'>,
  profileName: string,
  options: InitiateUploadOptions,
): Promise<UploadSession> {
  const profile = profileNamed(ctx.profiles, profileName)
  if (options.byteSize === undefined || options.byteSize === null) throw new RindleError('upload_byte_size_required', {})
  const declaration = judgeDeclaration(profile, options)
  const ttlSeconds = judgeTtl(options.expiresInSeconds)
  const store = ctx.stores.of(profileName)
  if (!store.supports('presigned_put') && !store.supports('hosted'))
    throw new RindleError('upload_unsupported', { capability: 'presigned_put', store: store.id })

  const open = (db: Queryable) => openUpload(ctx, db, { profile: profileName, store: store.id, declaration, ttlSeconds })
  return options.tx === undefined ? open(ctx.db.pool) : ctx.db.within(options.tx, open)
}

const judgeTtl = (seconds: number | undefined): number => {
  const ttl = seconds ?? defaultTtlSeconds
  if (Number.isSafeInteger(ttl) && ttl >= 60 && ttl <= maxTtlSeconds) return ttl
  throw new RindleError('argument_invalid', {
    argument: 'expiresInSeconds',
    problem: `it must be a whole number from 60 to ${maxTtlSeconds}`,
  })
}

/** So often may a session that holds the idempotency key end in the moment between two statements. */
const attempts = 8

const openUpload = async (
  ctx: Pick<RindleContext, 'queue' | 'clock' | 'ids'>,
  db: Queryable,
  {
    profile,
    store,
    declaration,
    ttlSeconds,
  }: { readonly profile: string; readonly store: string; readonly declaration: Declaration; readonly ttlSeconds: number },
): Promise<UploadSession> => {
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
      strategy: 'presigned_put',
      partBytes: null,
      dueAt: expiresAt,
      expiresAt,
    })
    if (written) return written
    const first = await firstUpload(db, profile, declaration)
    if (first) return first
  }
  throw new RindleError('transaction_conflict', { operation: 'initiateUpload' })
}

/** Null when the session that held the key ended in the moment between. */
const firstUpload = async (db: Queryable, profile: string, declaration: Declaration): Promise<UploadSession | null> => {
  const { owner, idempotencyKey } = declaration
  if (owner === null || idempotencyKey === null) return null
  const first = await findUploadByKey(db, { profile, owner, idempotencyKey })
  if (!first) return null
  if (!sameDeclaration(first, declaration)) throw new RindleError('idempotency_key_reused', { sessionId: first.session.id })
  return first.session
}
