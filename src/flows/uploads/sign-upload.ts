import type { RindleContext } from '../../context.ts'
import { RindleError } from '../../core/errors.ts'
import { secondsAfter } from '../../core/patience.ts'
import { maxPutTicketSeconds } from '../../core/ticket.ts'
import { problemOfSession, type SignedUpload } from '../../core/upload-session.ts'
import { findUploadSession, signSession } from '../../database/queries/upload-sessions.ts'
import { putTicket } from '../steps/put-ticket.ts'

/**
 * Gives out a ticket for the bytes of an upload: one PUT of the announced length and type to a key that has nothing yet. It lives at
 * most 15 minutes and never beyond the session. Asking again gives another ticket for the same key, for as long as nothing wrong
 * has landed there.
 *
 * The ticket's end is on record before the ticket exists, so there is no `{ tx }`: whatever may still land is looked out for.
 *
 * @throws RindleError `upload_session_not_found`, `upload_session_expired`, `upload_session_ended`, `upload_unsupported`, `options_invalid`
 */
export async function signUpload(
  ctx: Pick<RindleContext, 'db' | 'stores' | 'queue' | 'clock' | 'keys' | 'baseUrl'>,
  sessionId: string,
): Promise<SignedUpload> {
  const hostedStores = ctx.stores
    .all()
    .filter((store) => store.supports('hosted'))
    .map(({ id }) => id)
  const ticketEnd = secondsAfter(ctx.clock.now(), maxPutTicketSeconds)
  const signed = await signSession(ctx.db.pool, ctx, { sessionId, ticketEnd, hostedStores })
  if (!signed) throw await whyNot(ctx, sessionId)

  const { session, object } = signed
  const expiresAt = ticketEnd < session.expiresAt ? ticketEnd : session.expiresAt
  const { declaredBytes: sizeBytes, declaredType: contentType, declaredSha256: sha256 } = session
  if (sizeBytes === null) throw new RindleError('upload_byte_size_required', {})
  const presigned = await putTicket(ctx, {
    ...{ store: object.store, key: object.key, objectId: object.id, sessionId: session.id },
    ...{ contentType, sizeBytes, sha256, issuedAt: ctx.clock.now(), expiresAt },
  })
  return { session, presigned }
}

const whyNot = async (ctx: Pick<RindleContext, 'db' | 'stores' | 'clock'>, sessionId: string): Promise<RindleError> => {
  const session = await findUploadSession(ctx.db.pool, sessionId)
  if (!session) return new RindleError('upload_session_not_found', { sessionId })
  const { state, uploadStrategy } = session
  if (uploadStrategy !== 'presigned_put') return new RindleError('upload_unsupported', { capability: 'presigned_put', uploadStrategy })
  return problemOfSession(session, ctx.clock.now()) ?? new RindleError('upload_session_ended', { sessionId, state })
}
