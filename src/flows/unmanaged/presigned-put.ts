import type { RindleContext } from '../../context.ts'
import { profileNamed } from '../../core/admission.ts'
import { RindleError } from '../../core/errors.ts'
import { refuseLargePut } from '../../core/multipart.ts'
import { unmanagedKey } from '../../core/object-key.ts'
import { mountOf } from '../../core/object-url.ts'
import { hostedWatchSeconds, secondsAfter, signedWatchSeconds } from '../../core/patience.ts'
import type { SignedRequest } from '../../core/ports/storage.ts'
import { maxPutTicketSeconds } from '../../core/ticket.ts'
import { prolongReservation, reserveUnmanaged } from '../../database/queries/unmanaged-objects.ts'
import { typeForKey } from '../../core/stored-object.ts'
import { putTicket } from '../steps/put-ticket.ts'

export interface PresignedPutOptions {
  /** How many bytes will be sent: the ticket takes no other number. */
  readonly byteSize: number
  /** Default: what the key's extension stands for. */
  readonly contentType?: string
  /** Lower-case hex; the ticket then takes no other bytes. */
  readonly sha256?: string
}

type Context = Pick<RindleContext, 'db' | 'stores' | 'queue' | 'clock' | 'ids' | 'keys' | 'profiles' | 'baseUrl'>

/**
 * A ticket for one PUT below `unmanaged/`, of that length and type, where nothing is yet. It lives as long as asked, at most 15 minutes. The
 * key is on record before the ticket exists; what it brings is recorded by the worker once the ticket has ended.
 *
 * @throws RindleError `object_key_reserved`, `object_key_invalid`, `object_exists`, `argument_invalid`, `profile_unknown`, `upload_unsupported`,
 * `upload_put_too_large`, `options_invalid` when the app did not say where its http door is
 */
export async function presignedPut(
  ctx: Context,
  profile: string,
  key: string,
  expiresInSeconds: number,
  options: PresignedPutOptions,
): Promise<SignedRequest> {
  profileNamed(ctx.profiles, profile)
  const store = ctx.stores.of(profile)
  const hosted = store.supports('hosted')
  if (!hosted && !store.supports('presigned_put'))
    throw new RindleError('upload_unsupported', { capability: 'presigned_put', store: store.id })
  if (hosted) mountOf(ctx)
  checkWhole('expiresInSeconds', expiresInSeconds, 1, maxPutTicketSeconds)
  checkWhole('byteSize', options.byteSize, 0, Number.MAX_SAFE_INTEGER)
  refuseLargePut(store, options.byteSize)
  const sha256 = checkedDigest(options.sha256)

  const place = { store: store.id, key: unmanagedKey(key) }
  const contentType = typeForKey(place.key, options.contentType)
  const issuedAt = ctx.clock.now()
  const expiresAt = secondsAfter(issuedAt, expiresInSeconds)
  const watchUntil = secondsAfter(expiresAt, hosted ? hostedWatchSeconds : signedWatchSeconds)
  const objectId = await reserve(ctx, { ...place, contentType, watchUntil })
  return putTicket(ctx, { ...place, contentType, sizeBytes: options.byteSize, objectId, sessionId: null, sha256, issuedAt, expiresAt })
}

const reserve = async (
  ctx: Context,
  object: { readonly store: string; readonly key: string; readonly contentType: string; readonly watchUntil: Date },
): Promise<string> => {
  const again = await prolongReservation(ctx.db.pool, object)
  if (again !== null) return again
  const id = ctx.ids.next()
  if (await reserveUnmanaged(ctx.db.pool, ctx, { ...object, id, dueAt: object.watchUntil })) return id
  const late = await prolongReservation(ctx.db.pool, object)
  if (late === null) throw new RindleError('object_exists', {})
  return late
}

const checkWhole = (argument: string, value: number, least: number, most: number): void => {
  if (!Number.isSafeInteger(value) || value < least || value > most)
    throw new RindleError('argument_invalid', { argument, problem: `it must be a whole number from ${least} to ${most}` })
}

const checkedDigest = (sha256: string | undefined): string | null => {
  if (sha256 === undefined) return null
  if (!/^[0-9a-f]{64}$/i.test(sha256))
    throw new RindleError('argument_invalid', { argument: 'sha256', problem: 'it must be 64 hexadecimal digits' })
  return sha256.toLowerCase()
}
