import { sql } from 'kysely'
import { type ObjectState, objectMachine } from '../../core/object.ts'
import { secondsAfter, wakeUpSeconds } from '../../core/patience.ts'
import type { ObjectHead } from '../../core/ports/storage.ts'
import type { Queryable } from '../database.ts'
import { born, isMissed, moved } from '../move.ts'
import { moves, type Recorder } from '../statement.ts'
import { doomed } from './doomed.ts'

interface KnownObject {
  readonly id: string
  readonly store: string
  readonly key: string
  readonly state: ObjectState
  readonly contentType: string | null
  readonly watchUntil: Date | null
}

/** What is on record for a key of a store; null when nothing is. */
export async function findObjectByKey(db: Queryable, place: { readonly store: string; readonly key: string }): Promise<KnownObject | null> {
  const { rows } = await sql<{ id: string; state: ObjectState; content_type: string | null; watch_until: Date | null }>`
    select o.id, o.state, o.content_type, o.watch_until
      from rindle.media_objects o
     where o.store = ${place.store}::text and o.key = ${place.key}::text`.execute(db)
  const [row] = rows
  return row ? { ...place, id: row.id, state: row.state, contentType: row.content_type, watchUntil: row.watch_until } : null
}

interface NewUnmanagedObject {
  readonly id: string
  readonly store: string
  readonly key: string
  readonly contentType: string
  /** When the sweep looks what became of it, unless it was settled or renewed before. */
  readonly dueAt: Date
  /** Until when a ticket can still bring bytes; null where this process writes them itself. */
  readonly watchUntil: Date | null
}

/** Reserves a key below `unmanaged/`. @returns false when the key is on record already; then nothing is written. */
export async function reserveUnmanaged(db: Queryable, ctx: Recorder, object: NewUnmanagedObject): Promise<boolean> {
  const row = {
    ...{ id: object.id, role: 'unmanaged', store: object.store, key: object.key },
    ...{ content_type: object.contentType, due_at: object.dueAt, watch_until: object.watchUntil },
  }
  const { object: written } = await moves(db, ctx, [
    born('object', objectMachine, [], { rows: [row], conflict: { target: sql`(store, key)` }, expect: null, returning: ['id'] }),
  ])
  return written?.length === 1
}

/** Lets another ticket go out for a key that was reserved for tickets and where nothing is on record yet. @returns false when there is none. */
export async function prolongReservation(
  db: Queryable,
  object: { readonly store: string; readonly key: string; readonly contentType: string; readonly watchUntil: Date },
): Promise<string | null> {
  const { rows } = await sql<{ id: string }>`
    update rindle.media_objects o
       set watch_until = greatest(o.watch_until, ${object.watchUntil}::timestamptz),
           due_at = greatest(o.due_at, ${object.watchUntil}::timestamptz),
           content_type = ${object.contentType}::text
     where o.store = ${object.store}::text and o.key = ${object.key}::text
       and o.role = 'unmanaged' and o.state = 'reserved' and o.watch_until is not null
    returning o.id`.execute(db)
  return rows[0]?.id ?? null
}

/** Prolongs the lease of whoever writes the object. @returns false when it was settled meanwhile. */
export async function renewUnmanagedLease(db: Queryable, objectId: string, until: Date): Promise<boolean> {
  const { rows } = await sql<{ id: string }>`
    update rindle.media_objects
       set due_at = ${until}::timestamptz
     where id = ${objectId}::uuid and state = 'reserved'
    returning id`.execute(db)
  return rows.length === 1
}

/** Records that the object is stored. @throws RindleError `statement_missed` when it was settled meanwhile. */
export async function confirmUnmanaged(
  db: Queryable,
  ctx: Recorder,
  stored: { readonly id: string; readonly head: ObjectHead; readonly sha256: string },
): Promise<void> {
  const { id, head, sha256 } = stored
  const set = { byte_size: head.sizeBytes, etag: head.etag, version: head.version, sha256: new Uint8Array(Buffer.from(sha256, 'hex')) }
  await moves(db, ctx, [moved('object', objectMachine, ['confirm'], { set, where: sql`t.id = ${id}::uuid` })])
}

/** Dooms an unmanaged object in whatever state it may be doomed, and enqueues its deletion. Nothing when it is doomed already. */
export async function doomUnmanaged(db: Queryable, ctx: Recorder, id: string): Promise<void> {
  const at = ctx.clock.now()
  const step = moved('object', objectMachine, ['doom'], {
    set: doomed(at, secondsAfter(at, wakeUpSeconds)),
    where: sql`t.id = ${id}::uuid and t.role = 'unmanaged'`,
  })
  try {
    await moves(db, ctx, [step], { at, jobs: [{ name: 'delete_object', id }] })
  } catch (err) {
    if (!isMissed(err)) throw err
  }
}
