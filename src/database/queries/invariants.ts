import { type RawBuilder, sql } from 'kysely'
import { assetMachine, deliverableStates } from '../../core/asset.ts'
import type { InvariantBreach, InvariantEntity, InvariantName } from '../../core/invariants.ts'
import { owedStates } from '../../core/machine.ts'
import { objectMachine } from '../../core/object.ts'
import { longestOwedSeconds } from '../../core/patience.ts'
import { openSessionStates, uploadSessionMachine } from '../../core/upload-session.ts'
import { assetStateOf, type OutputKind, variantMachine, type VariantState } from '../../core/variant.ts'
import type { Queryable } from '../database.ts'

/** When a row is judged, and by what measure. */
export interface Measure {
  readonly at: Date
  /** So long may what is due wait to be touched. */
  readonly overdueSeconds: number
}

/** One thing that is asked of each row of a table, in the snapshot in which the row is read. */
interface Question {
  readonly invariant: InvariantName
  readonly table: keyof typeof entities
  /** Sees the row as `t`. Null: all is well; else what was found, as text, or what `judge` is to judge. */
  readonly found: (measure: Measure) => RawBuilder<unknown>
  readonly judge?: (seen: unknown) => string | null
}

const entities = {
  media_assets: 'asset',
  media_variants: 'variant',
  media_upload_sessions: 'upload_session',
  media_objects: 'object',
  media_attachments: 'attachment',
  media_processing_runs: 'run',
} as const satisfies Readonly<Record<string, InvariantEntity>>

export type WalkedTable = keyof typeof entities
export const walkedTables: readonly WalkedTable[] = [
  'media_assets',
  'media_variants',
  'media_upload_sessions',
  'media_objects',
  'media_attachments',
  'media_processing_runs',
]

const list = (states: readonly string[]): RawBuilder<unknown> => sql.raw(`(${states.map((state) => `'${state}'`).join(', ')})`)
const served = list(deliverableStates)
const open = list(openSessionStates)

/** The object that `t` points at. */
const pointed = (where: RawBuilder<unknown>): RawBuilder<unknown> =>
  sql`exists (select from rindle.media_objects o where o.id = t.object_id and ${where})`

const soonest = (when: string): RawBuilder<unknown> => sql.raw(`case when ${when} then make_interval(secs => ${longestOwedSeconds}) end`)

const utc = (column: string): RawBuilder<unknown> => sql.raw(`to_char(${column} at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')`)

const dueOf = ({ at, overdueSeconds }: Measure, owed: RawBuilder<unknown>, patience: RawBuilder<unknown>): RawBuilder<unknown> => sql`case
      when ${owed} and t.due_at is null then 'it is owed work and has no due date'
      when t.due_at < ${at}::timestamptz - make_interval(secs => ${overdueSeconds}::int) then 'it was due at ' || ${utc('t.due_at')} || ' and nobody came'
      when t.due_at > ${at}::timestamptz + (${patience})::interval then 'nobody is to come before ' || ${utc('t.due_at')} end`

interface SeenState {
  readonly state: string
  readonly code: string | null
  readonly variants: readonly { readonly state: VariantState; readonly outputKind: OutputKind }[]
}

const judgeState = ({ state, code, variants }: SeenState): string | null => {
  const wanted = assetStateOf(variants)
  if (state === wanted || (state === 'degraded' && code === 'original_missing')) return null
  return `it is ${state} and its variants make it ${wanted}`
}

const questions: readonly Question[] = [
  {
    invariant: 'gate-passed',
    table: 'media_assets',
    found: () => sql`case when t.state in ${served} and t.passed_at is null then 'it is ' || t.state || ' and has not passed the gate' end`,
  },
  {
    invariant: 'asset-original',
    table: 'media_assets',
    found: () => sql`case
      when t.state in ${served} and t.object_id is null then 'it is ' || t.state || ' and has no original'
      when t.state = 'deleted' and t.object_id is not null then 'it is deleted and still points at an original'
      when t.object_id is not null and not ${pointed(sql`o.state = 'present' and o.asset_id = t.id and o.role in ('original', 'staging')`)}
        then 'what it points at is no present object of its own'
      when t.state in ${served} and not ${pointed(sql`o.role = 'original' and o.sha256 is not null and o.byte_size = t.byte_size`)}
        then 'its original has no hash, or another length than was recorded'
      when t.state in ${served} and t.passed_at is not null and not ${pointed(sql`o.state_changed_at = t.passed_at`)}
        then 'its original is not the one that the gate passed'
      end`,
  },
  {
    invariant: 'asset-state',
    table: 'media_assets',
    found: () => sql`case when t.state in ${served} then (
      select jsonb_build_object('state', t.state, 'code', t.error_code, 'variants',
               coalesce(jsonb_agg(jsonb_build_object('state', v.state, 'outputKind', v.output_kind)), '[]'))
        from rindle.media_variants v where v.asset_id = t.id) end`,
    judge: (seen) => judgeState(seen as SeenState),
  },
  {
    invariant: 'session-once',
    table: 'media_assets',
    found: () => sql`case when t.state = 'staged' and not exists (
        select from rindle.media_upload_sessions s where s.asset_id = t.id and s.state in ${open})
      then 'it is staged and no upload to it is open' end`,
  },
  {
    invariant: 'variant-object',
    table: 'media_variants',
    found: () => sql`case
      when t.state in ('missing', 'purged') and t.object_id is not null then 'it is ' || t.state || ' and still points at an object'
      when t.state in ('ready', 'stale') and t.object_id is null then 'it is ' || t.state || ' and has no object'
      when t.object_id is not null
       and not ${pointed(sql`o.state = 'present' and o.role = 'variant' and o.variant_id = t.id and o.sha256 is not null`)}
        then 'what it points at is no present object of its own with a hash'
      when t.state = 'ready' and not ${pointed(sql`o.byte_size = t.byte_size and o.recipe_digest = t.recipe_digest`)}
        then 'its object has another length or recipe than was recorded' end`,
  },
  {
    invariant: 'one-effect',
    table: 'media_variants',
    found: () => sql`(select count(*) || ' present objects were made by one recipe'
       from rindle.media_objects o where o.variant_id = t.id and o.state = 'present'
      group by o.recipe_digest having count(*) > 1 limit 1)`,
  },
  {
    invariant: 'session-once',
    table: 'media_upload_sessions',
    found: () => sql`case
      when (t.state = 'completed') <> (t.verified_at is not null) then 'it is ' || t.state || case when t.verified_at is null
        then ' and was never verified' else ' and was verified' end
      when t.state in ${open} and not exists (select from rindle.media_assets a where a.id = t.asset_id and a.state = 'staged')
        then 'it is open and its asset is not staged'
      when t.state in ${open} and not coalesce(${pointed(sql`o.state = 'reserved' and o.session_id = t.id`)}, false)
        then 'it is open and awaits no reserved object'
      when t.state not in ${open} and t.object_id is not null then 'it has ended and still awaits an object'
      when t.state = 'completed' and exists (select from rindle.media_upload_sessions s
             where s.asset_id = t.asset_id and s.state = 'completed' and s.id < t.id) then 'its asset was verified by another upload before' end`,
  },
  {
    invariant: 'objects-owned',
    table: 'media_objects',
    found: () => sql`case
      when t.state = 'reserved' and t.role = 'staging' and not exists (select from rindle.media_upload_sessions s
             where s.id = t.session_id and s.object_id = t.id and s.state in ${open}) then 'it is reserved and no open upload awaits it'
      when t.state = 'reserved' and t.role = 'original' and not exists (select from rindle.media_assets a
             where a.id = t.asset_id and a.state = 'analyzing' and a.fence = t.fence) then 'it is reserved and nobody holds its asset by that fence'
      when t.state = 'reserved' and t.role = 'variant' and not exists (select from rindle.media_variants v
             where v.id = t.variant_id and v.state = 'processing' and v.fence = t.fence)
        then 'it is reserved and nobody holds its variant by that fence'
      when t.state = 'reserved' and t.role = 'unmanaged' and t.due_at is null then 'it is reserved and nobody is to look what became of it'
      when t.state = 'present' and t.role = 'staging' and not exists (select from rindle.media_assets a where a.id = t.asset_id
             and (a.object_id = t.id or (a.object_id is null and a.state in ('validating', 'analyzing'))))
        then 'it is present and no asset waits at the gate for it'
      when t.state = 'present' and t.role = 'original' and not exists (select from rindle.media_assets a
             where a.id = t.asset_id and a.object_id = t.id) then 'it is present and its asset does not point at it'
      when t.state = 'present' and t.role = 'variant' and not exists (select from rindle.media_variants v
             where v.id = t.variant_id and v.object_id = t.id) then 'it is present and its variant does not point at it' end`,
  },
  {
    invariant: 'objects-watched',
    table: 'media_objects',
    found: () => sql`case
      when t.state = 'watched' and t.watch_until is null then 'it is watched, and nobody knows until when'
      when t.state = 'doomed' and t.upload_id is not null and t.watch_until is null then 'parts of it may land after it is deleted, and nobody watches'
      end`,
  },
  {
    invariant: 'attached-lives',
    table: 'media_attachments',
    found: () => sql`case when t.standing <> 'released' then (
      select 'it is ' || t.standing || ' and its asset is ' || a.state
        from rindle.media_assets a where a.id = t.asset_id and a.state in ('deleted', 'staged')) end`,
  },
  {
    invariant: 'slot-single',
    table: 'media_attachments',
    found: () => sql`case
      when t.many and t.standing = 'pending' then 'it is pending in a slot that holds many'
      when t.standing <> 'released' and exists (select from rindle.media_attachments u
             where u.owner_type = t.owner_type and u.owner_id = t.owner_id and u.slot = t.slot and u.standing = t.standing and u.id < t.id
               and u.many = t.many and (not t.many or u.asset_id = t.asset_id))
        then 'another one of the same slot is ' || t.standing || ' as well' end`,
  },
  ...(
    [
      ['media_assets', owedStates(assetMachine), soonest(`t.state in ('validating', 'analyzing')`)],
      ['media_variants', owedStates(variantMachine), soonest('true')],
      ['media_upload_sessions', owedStates(uploadSessionMachine), sql`null`],
      ['media_objects', owedStates(objectMachine), soonest(`t.state = 'doomed'`)],
    ] as const
  ).map(([table, owed, tooLate]): Question => ({
    invariant: 'due',
    table,
    found: (measure) => dueOf(measure, sql`t.state in ${list(owed)}`, tooLate),
  })),
  {
    invariant: 'due',
    table: 'media_attachments',
    found: (measure) => dueOf(measure, sql`t.standing <> 'current'`, sql`null`),
  },
]

/** What is left over once everything has come to an end. */
const quietQuestions: readonly Question[] = [
  {
    invariant: 'quiet',
    table: 'media_assets',
    found: ({ at }) => sql`case
      when t.state in ('staged', 'validating', 'analyzing') then 'it is ' || t.state
      when t.due_at <= ${at}::timestamptz then 'it is due'
      when t.state = 'deleted' and not exists (select from rindle.media_objects o where o.asset_id = t.id)
       and not exists (select from rindle.media_upload_sessions s where s.asset_id = t.id and s.due_at > ${at}::timestamptz)
       and t.due_at > ${at}::timestamptz + interval '2 minutes' then 'nothing is left of it but its row' end`,
  },
  {
    invariant: 'quiet',
    table: 'media_variants',
    found: () => sql`case when t.state in ('planned', 'queued', 'processing') then 'it is ' || t.state end`,
  },
  {
    invariant: 'quiet',
    table: 'media_upload_sessions',
    found: ({ at }) => sql`case when t.state in ${open} then 'it is ' || t.state when t.due_at <= ${at}::timestamptz then 'it is due' end`,
  },
  {
    invariant: 'quiet',
    table: 'media_objects',
    found: ({ at }) =>
      sql`case when t.state in ('reserved', 'doomed') then 'it is ' || t.state when t.due_at <= ${at}::timestamptz then 'it is due' end`,
  },
  {
    invariant: 'quiet',
    table: 'media_attachments',
    found: () => sql`case when t.due_at is not null and not exists (select from rindle.media_assets a
        where a.id = t.asset_id and a.state = 'quarantined' and a.object_id is not null) then 'it is ' || t.standing || ' and not settled' end`,
  },
  {
    invariant: 'quiet',
    table: 'media_processing_runs',
    found: () => sql`case when t.state = 'processing' then 'it has not ended' end`,
  },
]

/** What `askRows` asks about, all tables together. */
export const invariantsOfRows = (quiet: boolean): readonly InvariantName[] => [...new Set(asked(quiet).map(({ invariant }) => invariant))]

const asked = (quiet: boolean): readonly Question[] => [...questions, ...(quiet ? quietQuestions : [])]

export interface AskedPage {
  /** The id to go on after; null when the table is at its end. */
  readonly last: string | null
  /** How many rows were read. */
  readonly rows: number
  readonly breaches: readonly InvariantBreach[]
}

interface Page extends Measure {
  readonly table: WalkedTable
  readonly quiet: boolean
  readonly after: string | null
  readonly limit: number
}

/** Asks everything that is to be asked of the rows of a table, a page of them in ascending order, in one snapshot. */
export async function askRows(db: Queryable, { table, quiet, after, limit, ...measure }: Page): Promise<AskedPage> {
  const asking = asked(quiet).filter((question) => question.table === table)
  if (asking.length === 0) return { last: null, rows: 0, breaches: [] }
  const answers = sql.join(asking.map(({ found }, place) => sql`(${sql.raw(String(place))}, to_jsonb(${found(measure)}))`))
  const from = sql.id('rindle', table)
  const { rows } = await sql<{ last: string | null; count: number; answers: { place: number; id: string; seen: unknown }[] }>`
    with page as materialized (
      select t.id from ${from} t where (${after}::uuid is null or t.id > ${after}::uuid) order by t.id limit ${limit}::int)
    select (select p.id from page p order by p.id desc limit 1) as last,
           (select count(*)::int from page) as count,
           (select coalesce(jsonb_agg(jsonb_build_object('place', q.place, 'id', t.id, 'seen', q.seen) order by t.id, q.place), '[]')
              from page p
              join ${from} t on t.id = p.id
             cross join lateral (values ${answers}) as q (place, seen)
             where q.seen is not null) as answers`.execute(db)
  const [row] = rows
  if (!row) return { last: null, rows: 0, breaches: [] }
  const breaches = row.answers.flatMap(({ place, id, seen }) => {
    const question = asking[place]
    const found = question?.judge ? question.judge(seen) : String(seen)
    return question && found !== null ? [{ invariant: question.invariant, entity: entities[table], id, found }] : []
  })
  return { last: row.count === limit ? row.last : null, rows: row.count, breaches }
}
