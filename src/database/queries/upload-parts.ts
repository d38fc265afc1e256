import { sql } from 'kysely'
import { objectMachine } from '../../core/object.ts'
import { signedWatchSeconds } from '../../core/patience.ts'
import { type UploadSession, uploadSessionMachine } from '../../core/upload-session.ts'
import type { Queryable } from '../database.ts'
import { also, moved } from '../move.ts'
import { moves, type Recorder } from '../statement.ts'
import { type SessionJson, sessionColumns, sessionOf } from './json-rows.ts'
import { type LandingObject, lockStaged } from './upload-sessions.ts'

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
  const at = ctx.clock.now()
  const asLookedAt = sql`t.id = ${session.id}::uuid and t.asset_id = a.id and t.object_id = ${object.id}::uuid
    and t.state = ${session.state}::text and t.expires_at > ${at}::timestamptz`
  const steps = [
    also('asset', lockStaged(session.id), { expect: 1 }),
    session.state === 'initialized'
      ? moved('session', uploadSessionMachine, ['sign'], { from: sql`"asset" a`, where: asLookedAt, returning: sessionColumns })
      : also('session', sql`select t.id, t.object_id, t.expires_at from rindle.media_upload_sessions t, "asset" a where ${asLookedAt}`, {
          expect: 1,
        }),
    moved('object', objectMachine, [], {
      set: {
        watch_until: sql`greatest(t.watch_until, least(${ticketEnd}::timestamptz, s.expires_at) + make_interval(secs => ${signedWatchSeconds}::int))`,
      },
      from: sql`"session" s`,
      where: sql`t.id = s.object_id and t.state = 'reserved' and t.upload_id = ${object.uploadId}::text`,
    }),
  ]
  const { session: signed } = await moves(db, ctx, steps, { at })
  return signed?.[0] ? sessionOf(signed[0] as unknown as SessionJson) : session
}

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
