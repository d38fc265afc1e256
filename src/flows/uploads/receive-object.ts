import type { RindleContext } from '../../context.ts'
import { canonicalType } from '../../core/content-type.ts'
import { RindleError } from '../../core/errors.ts'
import type { ObjectHead } from '../../core/ports/storage.ts'
import type { PutTicket } from '../../core/ticket.ts'
import { openSessionStates } from '../../core/upload-session.ts'
import { findReceivable } from '../../database/queries/upload-sessions.ts'
import { meter } from '../steps/meter.ts'

export interface ReceivedRequest {
  readonly contentType: string | null
  /** Null when the client did not say, as with a chunked body: then the bytes are counted alone. */
  readonly contentLength: number | null
  /** Null for a request without a body, which is zero bytes. */
  readonly body: ReadableStream<Uint8Array> | null
  readonly signal?: AbortSignal
}

type Context = Pick<RindleContext, 'db' | 'stores' | 'clock'>

/**
 * Writes the body of a hosted PUT, when it is to the letter what its ticket allows: type, length, checksum, an object that is still
 * reserved, a session that is still open, a key where nothing is. A body that goes on when the ticket ends is cut off. Whatever is
 * refused leaves storage and rows as they were.
 *
 * @throws RindleError `ticket_mismatch`, `ticket_expired`, `ticket_invalid`, `object_exists` (412: verify the upload), `upload_session_ended`,
 * `upload_session_expired`, `object_size_mismatch`, `object_checksum_mismatch`, `storage_failed`
 */
export async function receiveObject(ctx: Context, ticket: PutTicket, request: ReceivedRequest): Promise<ObjectHead> {
  const body = request.body ?? new Blob([]).stream()
  try {
    refuseMismatch(ticket, request)
    await refuseEnded(ctx, ticket)
    return await write(ctx, ticket, body, request.signal)
  } catch (err) {
    if (!body.locked) await body.cancel(err).catch(() => undefined)
    throw err
  }
}

const refuseMismatch = (ticket: PutTicket, { contentType, contentLength }: ReceivedRequest): void => {
  if (contentType === null || canonicalType(contentType) !== ticket.contentType)
    throw new RindleError('ticket_mismatch', { header: 'Content-Type', expected: ticket.contentType })
  if (contentLength !== null && contentLength !== ticket.sizeBytes)
    throw new RindleError('ticket_mismatch', { header: 'Content-Length', expected: String(ticket.sizeBytes) })
}

const refuseEnded = async (ctx: Context, ticket: PutTicket): Promise<void> => {
  const { objectId, sessionId } = ticket
  const found = await findReceivable(ctx.db.pool, { objectId, sessionId })
  if (!found) throw new RindleError('ticket_invalid', {})
  const { objectState, sessionState } = found
  if (objectState === 'present') throw new RindleError('object_exists', {})
  if (sessionId !== null && (sessionState === null || !openSessionStates.includes(sessionState)))
    throw sessionState === 'expired'
      ? new RindleError('upload_session_expired', { sessionId })
      : new RindleError('upload_session_ended', { sessionId, state: sessionState ?? 'gone' })
  if (objectState !== 'reserved') throw new RindleError('ticket_invalid', {})
}

const write = async (
  ctx: Context,
  ticket: PutTicket,
  body: ReadableStream<Uint8Array>,
  signal: AbortSignal | undefined,
): Promise<ObjectHead> => {
  const done = new AbortController()
  const end = new AbortController()
  const msLeft = ticket.expiresAt.getTime() - ctx.clock.now().getTime()
  if (msLeft <= 0) throw new RindleError('ticket_expired', {})
  ctx.clock.sleep(msLeft, done.signal).then(
    () => end.abort(new RindleError('ticket_expired', {})),
    () => undefined,
  )
  const metered = meter(body, {
    judge: (actualBytes, ended) => {
      if (actualBytes > ticket.sizeBytes || (ended && actualBytes < ticket.sizeBytes))
        throw new RindleError('object_size_mismatch', { expectedBytes: ticket.sizeBytes, actualBytes })
      if (ended && ticket.sha256 !== null && ended.sha256 !== ticket.sha256) throw new RindleError('object_checksum_mismatch', {})
    },
  })
  try {
    return await ctx.stores.at(ticket.store).put(ticket.key, metered.body, {
      contentType: ticket.contentType,
      sizeBytes: ticket.sizeBytes,
      signal: signal ? AbortSignal.any([signal, end.signal]) : end.signal,
    })
  } catch (err) {
    if (!metered.body.locked) await metered.body.cancel(err).catch(() => undefined)
    throw err
  } finally {
    done.abort()
  }
}
