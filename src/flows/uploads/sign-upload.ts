import type { RindleContext } from '../../context.ts'
import { RindleError } from '../../core/errors.ts'
import { secondsAfter } from '../../core/patience.ts'
import type { SignedRequest } from '../../core/ports/storage.ts'
import { maxPutTicketSeconds, mintTicket } from '../../core/ticket.ts'
import { problemOfSession, type SignedUpload, type UploadSession } from '../../core/upload-session.ts'
import { findUploadSession, signSession, type StagingObject } from '../../database/queries/upload-sessions.ts'

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
  return { session, presigned: await ticketFor(ctx, session, object, expiresAt) }
}

const ticketFor = async (
  ctx: Pick<RindleContext, 'stores' | 'clock' | 'keys' | 'baseUrl'>,
  session: UploadSession,
  object: StagingObject,
  expiresAt: Date,
): Promise<SignedRequest> => {
  const store = ctx.stores.at(object.store)
  const issuedAt = ctx.clock.now()
  const sizeBytes = session.declaredBytes
  if (sizeBytes === null) throw new RindleError('upload_byte_size_required', {})
  const bound = { contentType: session.declaredType, sizeBytes }
  if (!store.supports('hosted')) {
    const ttlSeconds = Math.max(1, Math.floor((expiresAt.getTime() - issuedAt.getTime()) / 1000))
    return store.signPut(object.key, {
      at: issuedAt,
      ttlSeconds,
      ...bound,
      ...(session.declaredSha256 === null ? {} : { sha256: session.declaredSha256 }),
    })
  }
  if (ctx.baseUrl === null)
    throw new RindleError('options_invalid', {
      problems: ['baseUrl: say where the http door is mounted, since its tickets are served there'],
    })
  const names = { store: object.store, key: object.key, objectId: object.id, sessionId: session.id }
  const ticket = mintTicket(ctx.keys, 'put', { ...names, ...bound, sha256: session.declaredSha256, createOnly: true, issuedAt, expiresAt })
  return { url: `${ctx.baseUrl}/objects/${ticket}`, method: 'PUT', headers: { 'content-type': session.declaredType }, expiresAt }
}

const whyNot = async (ctx: Pick<RindleContext, 'db' | 'stores' | 'clock'>, sessionId: string): Promise<RindleError> => {
  const session = await findUploadSession(ctx.db.pool, sessionId)
  if (!session) return new RindleError('upload_session_not_found', { sessionId })
  const { state, uploadStrategy } = session
  if (uploadStrategy !== 'presigned_put') return new RindleError('upload_unsupported', { capability: 'presigned_put', uploadStrategy })
  return problemOfSession(session, ctx.clock.now()) ?? new RindleError('upload_session_ended', { sessionId, state })
}
