import { sql } from 'kysely'
import { eventNameOf, type RindleEvent } from '../../core/events.ts'
import type { Queryable } from '../database.ts'
import type { EventCursor } from './leases.ts'

interface EventPage {
  readonly events: readonly RindleEvent[]
  /** To be remembered once they are published. */
  readonly cursor: EventCursor
}

const beginning: EventCursor = { xid: '0', seq: '0', floor: '0' }

interface MoveRow {
  readonly xid: string
  readonly seq: string
  readonly at: Date
  readonly entity: string
  readonly entity_id: string
  readonly asset_id: string | null
  readonly move: string
  readonly from_state: string | null
  readonly to_state: string
  readonly actor: string | null
  readonly reason: string | null
}

/**
 * What the history says beyond the cursor, in the order (xid, seq), as far as no transaction that is still open can write before it. So a
 * long writing transaction anywhere in the cluster holds events back, and none is ever passed over.
 */
export async function listEvents(db: Queryable, cursor: EventCursor | null, limit: number): Promise<EventPage> {
  const from = cursor ?? beginning
  const { rows } = await sql<MoveRow>`
    select m.xid::text as xid, m.seq::text as seq, m.at, m.entity, m.entity_id, m.asset_id, m.move, m.from_state, m.to_state, m.actor, m.reason
      from rindle.state_moves m
     where (m.xid, m.seq) > (${from.xid}::text::xid8, ${from.seq}::text::bigint)
       and m.xid < pg_snapshot_xmin(pg_current_snapshot())
       and m.seq > ${from.floor}::text::bigint
     order by m.xid, m.seq
     limit ${limit}::int`.execute(db)
  const last = rows.at(-1)
  return { events: rows.map(eventOf), cursor: last ? { xid: last.xid, seq: last.seq, floor: from.floor } : from }
}

/**
 * The cursor to start from when `cursor` lies ahead of the cluster's own transaction ids, which only a restored dump does: the present. The
 * rows that came with the dump lie below its floor. Null when the cursor is sound.
 */
export async function cursorAfterRestore(db: Queryable, cursor: EventCursor): Promise<EventCursor | null> {
  const { rows } = await sql<{ floor: string | null }>`
    select case when ${cursor.xid}::text::xid8 >= pg_snapshot_xmax(pg_current_snapshot())
           then coalesce((select max(m.seq) from rindle.state_moves m), 0)::text end as floor`.execute(db)
  const floor = rows[0]?.floor ?? null
  return floor === null ? null : { xid: '0', seq: '0', floor }
}

/** Forgets history older than `before`, at most `limit` rows, oldest first. @returns how many. */
export async function deleteOldMoves(db: Queryable, before: Date, limit: number): Promise<number> {
  const { rows } = await sql<{ deleted_count: number }>`
    with old as (
      select m.xid, m.seq from (select n.xid, n.seq, n.at from rindle.state_moves n order by n.xid, n.seq limit ${limit}::int) m
       where m.at < ${before}::timestamptz),
    gone as (
      delete from rindle.state_moves t using old where t.xid = old.xid and t.seq = old.seq returning t.seq)
    select count(*)::int as deleted_count from gone`.execute(db)
  return rows[0]?.deleted_count ?? 0
}

const eventOf = (row: MoveRow): RindleEvent => ({
  id: `${row.xid}-${row.seq}`,
  name: eventNameOf(row.entity, row.move),
  at: row.at,
  entity: row.entity,
  entityId: row.entity_id,
  assetId: row.asset_id,
  from: row.from_state,
  to: row.to_state,
  actor: row.actor,
  reason: row.reason,
})
