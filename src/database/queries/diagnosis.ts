import { type RawBuilder, sql } from 'kysely'
import type { ObjectRole } from '../../core/object.ts'
import type { Queryable } from '../database.ts'

/** Beyond this nothing is counted: doctor says `more than`. */
export const mostCounted = 1_000
/** So many rows, oldest and newest, are asked for the names in them. */
const rowsLookedAt = 10_000
/** Where rows have a date at which somebody comes. */
const owedTables = ['media_assets', 'media_variants', 'media_upload_sessions', 'media_objects', 'media_attachments'] as const

interface Server {
  readonly name: string
  readonly number: number
  /** A standby, or a role or database that may only read. */
  readonly isReadOnly: boolean
}

export async function describeServer(db: Queryable): Promise<Server> {
  const { rows } = await sql<Server>`
    select current_setting('server_version') as name, current_setting('server_version_num')::int as number,
           current_setting('transaction_read_only')::boolean as "isReadOnly"`.execute(db)
  return rows[0] ?? { name: 'unknown', number: 0, isReadOnly: false }
}

/** What the role lacks of what `rindle migrate --grant-to` gives, by table. */
export async function listMissingRights(db: Queryable): Promise<{ readonly name: string; readonly rights: readonly string[] }[]> {
  const { rows } = await sql<{ name: string; rights: string[] }>`
    select s.nspname || '.' || t.relname as name, array_agg(r.name order by r.place) as rights
      from pg_catalog.pg_class t
      join pg_catalog.pg_namespace s on s.oid = t.relnamespace
     cross join unnest(array['select', 'insert', 'update', 'delete']) with ordinality as r (name, place)
     where t.relkind in ('r', 'p') and (r.name = 'select' or t.relname <> 'schema_versions')
       and (s.nspname = 'rindle' or (s.nspname = 'rindle_queue' and t.relname in ('job', 'job_common')))
       and not has_table_privilege(t.oid, r.name)
     group by s.nspname, t.relname
     order by 1`.execute(db)
  return rows
}

/** So many newest and so many oldest objects of a store are looked for. */
const lookedForEach = 3

/** An object that its row calls present. */
export interface LookedFor {
  readonly id: string
  readonly assetId: string | null
  readonly role: ObjectRole
  readonly store: string
  readonly key: string
  readonly byteSize: number | null
  readonly at: Date
}

/** Of each store the newest and the oldest few, newest first, as far as the newest and the oldest rows of all tell. */
export async function listObjectsToLookFor(db: Queryable): Promise<LookedFor[]> {
  const some = (order: RawBuilder<unknown>): RawBuilder<unknown> =>
    sql`(select id from rindle.media_objects order by id ${order} limit ${rowsLookedAt}::int)`
  const { rows } = await sql<LookedFor>`
    select o.id, o.asset_id as "assetId", o.role, o.store, o.key, o.byte_size::float8 as "byteSize", o.state_changed_at as at
      from (select p.id, row_number() over (partition by p.store order by p.id desc) as newest,
                   row_number() over (partition by p.store order by p.id) as oldest
              from rindle.media_objects p
              join (${some(sql`desc`)} union ${some(sql`asc`)}) s on s.id = p.id
             where p.state = 'present' and p.role in ('original', 'variant', 'unmanaged')) n
      join rindle.media_objects o on o.id = n.id
     where n.newest <= ${lookedForEach}::int or n.oldest <= ${lookedForEach}::int
     order by o.id desc`.execute(db)
  return rows
}

export interface Waiting {
  /** Of the last attempt; null when there was none. */
  readonly code: string | null
  readonly count: number
  readonly oldest: Date
}

/** Assets that a worker should have taken to an end by `before`, or that it had to put off, by what stopped it. */
export async function countWaitingAtGate(db: Queryable, before: Date): Promise<Waiting[]> {
  const { rows } = await sql<Waiting>`
    select last.error_code as code, count(*)::int as count, min(a.inserted_at) as oldest
      from (select id, inserted_at, state_changed_at
              from rindle.media_assets
             where due_at is not null and state in ('validating', 'analyzing')
             order by due_at
             limit ${mostCounted + 1}::int) a
      left join lateral (
             select r.error_code
               from rindle.media_processing_runs r
              where r.asset_id = a.id and r.error_code is not null and r.finished_at is not null
              order by r.started_at desc, r.id desc
              limit 1) last on true
     where last.error_code is not null or a.state_changed_at < ${before}::timestamptz
     group by last.error_code
     order by last.error_code`.execute(db)
  return rows
}

/**
 * Assets with variants that had to be put off, by what stopped the last attempt, and under null those whose variants nobody has begun since
 * `before`. Who stopped a worker or an encode on purpose is no reason.
 */
export async function countWaitingVariants(db: Queryable, before: Date): Promise<Waiting[]> {
  const { rows } = await sql<Waiting>`
    select last.code, count(distinct v.asset_id)::int as count, min(v.state_changed_at) as oldest
      from (select asset_id, name, state_changed_at
              from rindle.media_variants
             where due_at is not null and state in ('planned', 'queued')
             order by due_at
             limit ${mostCounted + 1}::int) v
      left join lateral (
             select case when r.error_code not in ('worker_stopped', 'processing_cancelled') then r.error_code end as code
               from rindle.media_processing_runs r
              where r.asset_id = v.asset_id and v.name = any(r.variant_names) and r.finished_at is not null
              order by r.started_at desc, r.id desc
              limit 1) last on true
     where last.code is not null or v.state_changed_at < ${before}::timestamptz
     group by last.code
     order by last.code`.execute(db)
  return rows
}

/** Assets with variants that could not be made or went missing, by why. */
export async function countFailedVariants(db: Queryable): Promise<{ readonly code: string; readonly count: number }[]> {
  const { rows } = await sql<{ code: string; count: number }>`
    select v.code, count(distinct v.asset_id)::int as count
      from (select asset_id, coalesce(error_code, state) as code
              from rindle.media_variants
             where state in ('failed', 'missing')
             limit ${mostCounted + 1}::int) v
     group by v.code
     order by v.code`.execute(db)
  return rows
}

/** Rows of any table that somebody should have come for before `before`. @returns null when there is none. */
export async function countOwedSince(db: Queryable, before: Date): Promise<Omit<Waiting, 'code'> | null> {
  const one = (table: string): RawBuilder<unknown> => sql`
            (select t.due_at from ${sql.table(`rindle.${table}`)} t
              where t.due_at < ${before}::timestamptz order by t.due_at limit ${mostCounted + 1}::int)`
  const { rows } = await sql<{ count: number; oldest: Date | null }>`
    select count(*)::int as count, min(owed.due_at) as oldest
      from (${sql.join(owedTables.map(one), sql` union all `)}) owed`.execute(db)
  const { count, oldest } = rows[0] ?? { count: 0, oldest: null }
  return oldest && { count, oldest }
}

/** Assets that are held back and whose bytes are kept, by why. */
export async function countQuarantined(db: Queryable): Promise<{ readonly code: string; readonly count: number }[]> {
  const { rows } = await sql<{ code: string; count: number }>`
    select coalesce(a.error_code, '') as code, count(*)::int as count
      from (select error_code
              from rindle.media_assets
             where state = 'quarantined' and object_id is not null
             order by id desc
             limit ${mostCounted + 1}::int) a
     group by a.error_code
     order by a.error_code`.execute(db)
  return rows
}

/** Assets that passed the gate before `before`, that no slot shows and that no date of their own takes away. */
export async function countNeverAttached(db: Queryable, before: Date): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select count(*)::int as count
      from (select a.id
              from (select id, passed_at, state, due_at from rindle.media_assets order by id limit ${rowsLookedAt}::int) a
             where a.passed_at < ${before}::timestamptz and a.state not in ('deleted', 'quarantined') and a.due_at is null
               and not exists (select from rindle.media_attachments m where m.asset_id = a.id)
             limit ${mostCounted + 1}::int) n`.execute(db)
  return rows[0]?.count ?? 0
}

/** Which profiles and stores the oldest and the newest rows name. */
export async function listNamesInUse(db: Queryable): Promise<{ readonly profiles: readonly string[]; readonly stores: readonly string[] }> {
  const { rows } = await sql<{ profiles: string[]; stores: string[] }>`
    select array(select distinct n.profile
                   from ((select profile from rindle.media_assets where state <> 'deleted' order by id limit ${rowsLookedAt}::int)
                         union all
                         (select profile from rindle.media_assets where state <> 'deleted' order by id desc limit ${rowsLookedAt}::int)) n
                  order by n.profile) as profiles,
           array(select distinct n.store
                   from ((select store from rindle.media_objects order by id limit ${rowsLookedAt}::int)
                         union all
                         (select store from rindle.media_objects order by id desc limit ${rowsLookedAt}::int)) n
                  order by n.store) as stores`.execute(db)
  return rows[0] ?? { profiles: [], stores: [] }
}
