import type { RindleContext } from '../../context.ts'
import { RindleError } from '../../core/errors.ts'
import { partPlanOf, partSizeOf } from '../../core/multipart.ts'
import { secondsAfter } from '../../core/patience.ts'
import { maxPutTicketSeconds } from '../../core/ticket.ts'
import { problemOfSession, type SignedUpload, type UploadSession } from '../../core/upload-session.ts'
import { lookAgainOnMiss } from '../../database/move.ts'
import { signPart } from '../../database/queries/upload-parts.ts'
import { findUpload } from '../../database/queries/upload-sessions.ts'
import { beginParts } from '../steps/begin-parts.ts'

/**
 * Gives out a ticket for one part of an upload: a PUT of exactly as many bytes as the part was cut to. It lives at most 15 minutes and never
 * beyond the session. Parts may be sent in any order, at the same time and again; the last one sent counts.
 *
 * The ticket's end is on record before the ticket exists, so there is no `{ tx }`: whatever may still land is looked out for.
 *
 * @throws RindleError `upload_session_not_found`, `upload_session_expired`, `upload_session_ended`, `upload_unsupported`, `argument_invalid`,
 * `storage_failed`
 */
export async function signMultipartPart(
  ctx: Pick<RindleContext, 'db' | 'stores' | 'queue' | 'clock'>,
  sessionId: string,
  partNumber: number,
): Promise<SignedUpload> {
  return lookAgainOnMiss(async () => {
    const upload = await findUpload(ctx.db.pool, sessionId)
    if (!upload) throw new RindleError('upload_session_not_found', { sessionId })
    const { session, object: awaited } = upload
    const sizeBytes = sizeOfPart(session, partNumber)
    const problem = problemOfSession(session, ctx.clock.now())
    if (problem || !awaited) throw problem ?? new RindleError('upload_session_ended', { sessionId, state: session.state })

    const object = await beginParts(ctx, session, awaited)
    const at = ctx.clock.now()
    const ttlSeconds = Math.min(maxPutTicketSeconds, Math.floor((session.expiresAt.getTime() - at.getTime()) / 1000))
    if (ttlSeconds < 1) throw new RindleError('upload_session_expired', { sessionId })
    const signed = await signPart(ctx.db.pool, ctx, { session, object, ticketEnd: secondsAfter(at, ttlSeconds) })
    const { multipart } = ctx.stores.at(object.store)
    const presigned = await multipart.signPart(object.key, { uploadId: object.uploadId, partNumber, sizeBytes, at, ttlSeconds })
    return { session: signed, presigned }
  })
}

const sizeOfPart = (session: UploadSession, partNumber: number): number => {
  const { byteSize, partBytes, partCount } = partPlanOf(session)
  if (!Number.isSafeInteger(partNumber) || partNumber < 1 || partNumber > partCount)
    throw new RindleError('argument_invalid', { argument: 'partNumber', problem: `it must be a whole number from 1 to ${partCount}` })
  return partSizeOf(byteSize, partBytes, partNumber)
}
