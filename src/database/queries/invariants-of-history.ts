import { sql } from 'kysely'
import { assetMachine, deliverableStates } from '../../core/asset.ts'
import type { InvariantBreach } from '../../core/invariants.ts'
import type { Machine } from '../../core/machine.ts'
import { objectMachine } from '../../core/object.ts'
import { runMachine } from '../../core/run.ts'
import { uploadSessionMachine } from '../../core/upload-session.ts'
import { variantMachine } from '../../core/variant.ts'
import type { Queryable } from '../database.ts'

const machines: readonly Machine[] = [assetMachine, variantMachine, uploadSessionMachine, objectMachine, runMachine]

/** What the history may hold besides the moves of the machines: births, the end of an object's row, and attachments. */
const further = [
  ...machines.map(({ entity, initial }) => `${entity} born  ${initial}`),
  'object delete doomed gone',
  'object forget watched gone',
  'attachment attach  current',
  'attachment attach  pending',
  'attachment replace pending current',
  ...['current', 'pending'].flatMap((standing) => [
    `attachment release ${standing} released`,
    `attachment detach ${standing} released`,
    `attachment refuse ${standing} gone`,
  ]),
]

const legalMoves: readonly string[] = [
  ...machines.flatMap(({ entity, moves }) =>
    Object.entries(moves).flatMap(([move, { from, to }]) => from.map((state) => `${entity} ${move} ${state} ${to}`)),
  ),
  ...further,
]

/** How the history of a row may end that is no longer there. */
const ends = [
  'asset deleted',
  'variant purged',
  ...['completed', 'aborted', 'expired', 'failed'].map((state) => `upload_session ${state}`),
  'object gone',
  'run succeeded',
  'run failed',
  'attachment released',
  'attachment gone',
]

interface Reading {
  /** Of what came before nothing is asked: the beginning of the history is forgotten by and by. */
  readonly from: Date
  /** Of each question. */
  readonly limit: number
}

/** Moves that no machine knows, or that start elsewhere than the one before ended. One reading of the whole history, sorted by the server. */
export async function listIllegalMoves(db: Queryable, { from, limit }: Reading): Promise<InvariantBreach[]> {
  const { rows } = await sql<InvariantBreach>`
    ${told(from)}
    select 'legal-moves' as invariant, m.entity, m.entity_id as id,
           case when l.line is null then 'no ' || m.entity || ' may ' || m.move || ' from ' || coalesce(m.from_state, 'nothing') || ' to ' || m.to_state
                else 'it was ' || m.before || ', and its next move, ' || m.move || ', starts at ' || coalesce(m.from_state, 'nothing') end as found
      from told m
      left join unnest(${legalMoves}::text[]) as l (line) on l.line = m.entity || ' ' || m.move || ' ' || coalesce(m.from_state, '') || ' ' || m.to_state
     where l.line is null or (m.before is not null and m.before is distinct from m.from_state)
     order by m.seq
     limit ${limit}::int`.execute(db)
  return rows
}

/** Rows that are not where their last move left them, and rows that went before the end of their life. */
export async function listUntoldStates(db: Queryable, { from, limit }: Reading): Promise<InvariantBreach[]> {
  const { rows } = await sql<InvariantBreach>`
    ${told(from)},
    there as (
      select 'asset' as entity, id, state, state_changed_at as changed from rindle.media_assets
      union all select 'variant', id, state, state_changed_at from rindle.media_variants
      union all select 'upload_session', id, state, state_changed_at from rindle.media_upload_sessions
      union all select 'object', id, state, state_changed_at from rindle.media_objects
      union all select 'run', id, state, state_changed_at from rindle.media_processing_runs
      union all select 'attachment', id, standing, inserted_at from rindle.media_attachments)
    select 'state-told' as invariant, coalesce(t.entity, m.entity) as entity, coalesce(t.id, m.entity_id) as id,
           case when t.id is null then 'its row is gone, and its history ends with ' || m.to_state
                when m.entity_id is null then 'it is ' || t.state || ', and no history tells how that came'
                else 'it is ' || t.state || ', and its history ends with ' || m.to_state end as found
      from (select o.entity, o.entity_id, o.to_state from told o where o.is_last) m
      full join there t on t.id = m.entity_id
     where case when t.id is null then m.entity || ' ' || m.to_state <> all(${ends}::text[])
                when m.entity_id is null then t.changed > ${from}::timestamptz
                else t.state <> m.to_state end
     order by 3
     limit ${limit}::int`.execute(db)
  return rows
}

/** What is served without that the history tells, at the instant on its row, how the gate passed it. */
export async function listUngated(db: Queryable, { from, limit }: Reading): Promise<InvariantBreach[]> {
  const { rows } = await sql<InvariantBreach>`
    select 'gate-passed' as invariant, 'asset' as entity, a.id, 'no history tells that the gate passed it' as found
      from rindle.media_assets a
     where a.state = any(${deliverableStates}::text[]) and a.passed_at > ${from}::timestamptz
       and not exists (select from rindle.state_moves m
                        where m.entity = 'asset' and m.move = 'promote' and m.entity_id = a.id and m.at = a.passed_at)
     order by a.id
     limit ${limit}::int`.execute(db)
  return rows
}

/**
 * What was released from its last slot and is neither purged nor about to be looked at. Left out is what the gate refused while it waited for
 * a slot, and an operator pardoned: its row in that slot went without a purge.
 */
export async function listForgottenReleases(db: Queryable, { limit }: Pick<Reading, 'limit'>): Promise<InvariantBreach[]> {
  const { rows } = await sql<InvariantBreach>`
    select 'detached-goes' as invariant, 'asset' as entity, a.id, 'it was released from its last slot, is ' || a.state || ', and nobody is to look' as found
      from rindle.media_assets a
     where a.state not in ('deleted', 'quarantined') and a.pardon is null
       and a.id in (select m.asset_id from rindle.state_moves m where m.entity = 'attachment' and m.to_state = 'released')
       and not exists (select from rindle.media_attachments t where t.asset_id = a.id)
     order by a.id
     limit ${limit}::int`.execute(db)
  return rows
}

/** Rows of one entity are numbered in the order in which they were written: whoever writes holds the lock of what it is about. */
const told = (from: Date) => sql`
    with told as (
      select r.seq, r.entity, r.entity_id, r.move, r.from_state, r.to_state,
             lag(r.to_state) over w as before, lead(r.seq) over w is null as is_last
        from rindle.state_moves r
       where r.seq >= coalesce((select min(f.seq) from rindle.state_moves f where f.at > ${from}::timestamptz), 0)
      window w as (partition by r.entity_id order by r.seq))`
