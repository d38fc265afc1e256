import { sql } from 'kysely'
import { objectMachine } from '../../core/object.ts'
import { signedWatchSeconds } from '../../core/patience.ts'
import { type UploadSession, type UploadSessionState, uploadSessionMachine } from '../../core/upload-session.ts'
import type { Queryable } from '../database.ts'
import { also, moved } from '../move.ts'
import { type Recorder, shapedMoves } from '../statement.ts'
import { type SessionJson, sessionColumns, sessionOf } from './json-rows.ts'
import { type LandingObject, lockStaged, watchedUntil } from './upload-sessions.ts'

/**
 * Says that a ticket for a part goes out, and until when what it allows must be looked out for. The first ticket is a move of the session;
 * a file has up to ten thousand parts, so the others are none.
 *
 * @throws RindleError `statement_missed` when session or object are not as they were looked at; nothing was changed.
 */
export async function signPart(
  db: Queryable,
  ctx: Recorder,
  { session, object, ticketEnd }: { readonly session: UploadSession; readonly object: LandingObject; readonly ticketEnd: Date },
): Promise<UploadSession> {
  const { session: rows } = await signed(
    db,
    ctx,
    { sessionId: session.id, state: session.state, objectId: object.id, uploadId: object.uploadId, ticketEnd },
    { isFirst: session.state === 'initialized' },
  )
  return rows?.[0] ? sessionOf(rows[0] as unknown as SessionJson) : session
}

interface Signed {
  readonly sessionId: string
  readonly state: UploadSessionState
  readonly objectId: string
  readonly uploadId: string | null
  readonly ticketEnd: Date
}

const signed = shapedMoves<Signed, { readonly isFirst: boolean }>(
  ({ sessionId, state, objectId, uploadId, ticketEnd }, at, { isFirst }) => {
    const asLookedAt = sql`t.id = ${sessionId}::uuid and t.asset_id = a.id and t.object_id = ${objectId}::uuid
    and t.state = ${state}::text and t.expires_at > ${at}::timestamptz`
    return [
      also('asset', lockStaged(sessionId), { expect: 1 }),
      isFirst
        ? moved('session', uploadSessionMachine, ['sign'], { from: sql`"asset" a`, where: asLookedAt, returning: sessionColumns })
        : also('session', sql`select t.id, t.object_id, t.expires_at from rindle.media_upload_sessions t, "asset" a where ${asLookedAt}`, {
            expect: 1,
          }),
      moved('object', objectMachine, [], {
        set: { watch_until: watchedUntil(ticketEnd, sql`${signedWatchSeconds}::int`) },
        from: sql`"session" s`,
        where: sql`t.id = s.object_id and t.state = 'reserved' and t.upload_id = ${uploadId}::text`,
      }),
    ]
  },
)

/** Keeps what storage calls the upload of an object in parts. @returns false when another was kept, or the object is no longer awaited. */
export async function keepUploadId(
  db: Queryable,
  { objectId, uploadId }: { readonly objectId: string; readonly uploadId: string },
): Promise<boolean> {
  const { rows } = await sql<{ id: string }>`
    update rindle.media_objects
       set upload_id = ${uploadId}::text
     where id = ${objectId}::uuid and state = 'reserved' and upload_id is null
    returning id`.execute(db)
  return rows.length === 1
}
