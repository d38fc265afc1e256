import { sql } from 'kysely'
import { assetMachine } from '../../core/asset.ts'
import { isId } from '../../core/ids.ts'
import { objectMachine } from '../../core/object.ts'
import { endedSessionSeconds, residueSeconds, secondsAfter, wakeUpSeconds } from '../../core/patience.ts'
import { type UploadSession, type UploadSessionState, uploadSessionMachine } from '../../core/upload-session.ts'
import type { Queryable } from '../database.ts'
import { also, born, moved } from '../move.ts'
import { moves, type Recorder } from '../statement.ts'
import { doomed } from './doomed.ts'
import { lockStaged, type StagingObject } from './upload-sessions.ts'

/**
 * Dooms what landed wrong and reserves a fresh key, so that the client may be given another ticket.
 *
 * @throws RindleError `statement_missed` when session or object are not as they were looked at; nothing was changed.
 */
export async function retryUpload(
  db: Queryable,
  ctx: Recorder,
  { session, wrong, fresh }: { readonly session: UploadSession; readonly wrong: StagingObject; readonly fresh: StagingObject },
): Promise<void> {
  const at = ctx.clock.now()
  const reserved = {
    id: fresh.id,
    asset_id: session.assetId,
    session_id: session.id,
    role: 'staging',
    store: fresh.store,
    key: fresh.key,
    content_type: session.declaredType,
  }
  const steps = [
    also('asset', lockStaged(session.id), { expect: 1 }),
    moved('session', uploadSessionMachine, ['retry'], {
      set: { object_id: fresh.id },
      from: sql`"asset" a`,
      where: sql`t.id = ${session.id}::uuid and t.asset_id = a.id and t.object_id = ${wrong.id}::uuid and t.state = ${session.state}::text`,
    }),
    moved('wrong', objectMachine, ['doom'], {
      set: doomed(at, secondsAfter(at, wakeUpSeconds)),
      from: sql`"session" s`,
      where: sql`t.id = ${wrong.id}::uuid and t.session_id = s.id`,
    }),
    born('fresh', objectMachine, [], { rows: [reserved], from: sql`"session" s`, where: sql`s.id = v.session_id` }),
  ]
  await moves(db, ctx, steps, { at, jobs: [{ name: 'delete_object', id: wrong.id }] })
}

/** Locks the asset of a session against everything. To be followed by a statement of its own, which then sees what the lock waited for. */
export async function lockAssetOfSession(tx: Queryable, sessionId: string): Promise<void> {
  if (!isId(sessionId)) return
  await sql`
    select a.id
      from rindle.media_assets a
     where a.id = (select s.asset_id from rindle.media_upload_sessions s where s.id = ${sessionId}::uuid)
       for update`.execute(tx)
}

export type EndMove = 'expire' | 'abort' | 'fail'

/**
 * Ends an open upload whose asset's row is locked: the asset goes, and with it whatever was or still is being written.
 *
 * @throws RindleError `statement_missed` when it is no longer open, or not yet due to `expire`; nothing was changed.
 */
export async function endUpload(
  tx: Queryable,
  ctx: Recorder,
  { sessionId, how }: { readonly sessionId: string; readonly how: EndMove },
): Promise<UploadSessionState> {
  const at = ctx.clock.now()
  const residue = secondsAfter(at, residueSeconds)
  const overdue = how === 'expire' ? sql`and t.due_at <= ${at}::timestamptz` : sql``
  const steps = [
    moved('asset', assetMachine, ['doom'], {
      set: { alive: false, due_at: residue },
      from: sql`rindle.media_upload_sessions s`,
      where: sql`s.id = ${sessionId}::uuid and s.asset_id = t.id and t.state = 'staged'`,
    }),
    moved('session', uploadSessionMachine, [how], {
      set: { object_id: null, due_at: secondsAfter(at, endedSessionSeconds) },
      from: sql`"asset" a`,
      where: sql`t.id = ${sessionId}::uuid and t.asset_id = a.id ${overdue}`,
    }),
    moved('objects', objectMachine, ['doom'], {
      set: doomed(at, residue),
      from: sql`"session" s`,
      where: sql`t.session_id = s.id`,
      expect: null,
    }),
  ]
  await moves(tx, ctx, steps, { at })
  return uploadSessionMachine.moves[how].to
}
