import { sql, type RawBuilder } from 'kysely'
import { assetMachine, type AssetState } from '../../core/asset.ts'
import { objectMachine, type ObjectState } from '../../core/object.ts'
import { longestOwedSeconds, residueSeconds, secondsAfter, wakeUpSeconds } from '../../core/patience.ts'
import type { JobRequest } from '../../core/ports/queue.ts'
import type { ObjectHead } from '../../core/ports/storage.ts'
import { runMachine } from '../../core/run.ts'
import type { UploadSessionState } from '../../core/upload-session.ts'
import type { BuildJob } from '../../core/variant-plan.ts'
import { variantMachine, type VariantState } from '../../core/variant.ts'
import type { Queryable } from '../database.ts'
import { also, moved } from '../move.ts'
import { moves, type Recorder } from '../statement.ts'
import { doomed } from './doomed.ts'

/** Rows whose time has come, the most overdue first, at most `limit` of each table. */
export interface DueRows {
  readonly assets: readonly { readonly id: string; readonly state: AssetState }[]
  readonly variants: readonly { readonly id: string; readonly asset_id: string; readonly state: VariantState; readonly job: BuildJob }[]
  readonly sessions: readonly { readonly id: string; readonly state: UploadSessionState }[]
  readonly objects: readonly { readonly id: string; readonly state: ObjectState; readonly store: string }[]
  readonly attachments: readonly { readonly id: string; readonly asset_id: string; readonly standing: 'current' | 'pending' | 'released' }[]
}

/** Which of them: all, or only those whose cure takes nothing away. */
type DueScope = 'all' | 'harmless'

export async function listDueRows(
  db: Queryable,
  { at, limit, scope }: { readonly at: Date; readonly limit: number; readonly scope: DueScope },
): Promise<DueRows> {
  const all = scope === 'all'
  const due = (columns: string, table: string, harmless: string): RawBuilder<unknown> => sql`
    (select coalesce(jsonb_agg(to_jsonb(d)), '[]')
       from (select ${sql.raw(columns)} from rindle.${sql.id(table)} t
              where t.due_at <= ${at}::timestamptz and (${all}::boolean or ${sql.raw(harmless)})
              order by t.due_at limit ${limit}::int) d)`
  const { rows } = await sql<DueRows>`
    select ${due('t.id, t.state', 'media_assets', `t.state in ('validating', 'analyzing')`)} as assets,
           ${due('t.id, t.asset_id, t.state, t.job', 'media_variants', 'true')} as variants,
           ${due('t.id, t.state', 'media_upload_sessions', 'false')} as sessions,
           ${due('t.id, t.state, t.store', 'media_objects', 'false')} as objects,
           ${due('t.id, t.asset_id, t.standing', 'media_attachments', `t.standing <> 'released'`)} as attachments`.execute(db)
  const [row] = rows
  return row ?? { assets: [], variants: [], sessions: [], objects: [], attachments: [] }
}

type DueTable = 'media_assets' | 'media_variants' | 'media_objects' | 'media_attachments'

/** What a worker is to come for, and nothing that anybody waits for on purpose. */
const owedToWorkers = {
  media_assets: `d.state in ('validating', 'analyzing')`,
  media_variants: `d.state in ('planned', 'queued', 'processing')`,
  media_attachments: `d.standing <> 'released'`,
} as const satisfies Partial<Record<DueTable, string>>

/**
 * Brings work forward that nobody would come for before long: its due date was written by a clock that was ahead. It is due in `seconds`, as
 * long as a lease lasts, so that whoever still holds one renews it before. Rows that somebody holds are left out.
 */
export async function bringForward(db: Queryable, { at, seconds }: { readonly at: Date; readonly seconds: number }): Promise<void> {
  for (const [table, owed] of Object.entries(owedToWorkers))
    await sql`
      update rindle.${sql.id(table)} t set due_at = ${secondsAfter(at, seconds)}::timestamptz
        from (select d.id from rindle.${sql.id(table)} d
               where d.due_at > ${secondsAfter(at, longestOwedSeconds)}::timestamptz and ${sql.raw(owed)}
               order by d.id for no key update skip locked) d
       where t.id = d.id`.execute(db)
}

/** Wakes a worker again for rows that nobody came for, and looks after them later, in one statement. Rows that somebody holds are left out. */
export async function wakeAgain(
  db: Queryable,
  ctx: Recorder,
  { table, ids, jobs }: { readonly table: DueTable; readonly ids: readonly string[]; readonly jobs: readonly JobRequest[] },
): Promise<void> {
  if (ids.length === 0) return
  const at = ctx.clock.now()
  const later = sql`
    update rindle.${sql.id(table)} t set due_at = ${secondsAfter(at, wakeUpSeconds)}::timestamptz
      from (select d.id from rindle.${sql.id(table)} d
             where d.id = any(${ids}::uuid[]) and d.due_at <= ${at}::timestamptz
             order by d.id for no key update skip locked) d
     where t.id = d.id
    returning t.id`
  await moves(db, ctx, [also('later', later, { expect: null })], { at, jobs })
}

/** Gives assets whose worker's lease ran out at the gate back to the queue: their run failed, and what it had reserved is deleted. */
export async function giveBackAssets(db: Queryable, ctx: Recorder, { ids }: { readonly ids: readonly string[] }): Promise<void> {
  if (ids.length === 0) return
  const at = ctx.clock.now()
  const lapsed = sql`
    select a.id from rindle.media_assets a
     where a.id = any(${ids}::uuid[]) and a.state = 'analyzing' and a.due_at <= ${at}::timestamptz
     order by a.id for no key update skip locked`
  const steps = [
    also('lapsed', lapsed, { expect: null }),
    moved('assets', assetMachine, ['give_back'], {
      set: { due_at: secondsAfter(at, wakeUpSeconds) },
      from: sql`"lapsed" d`,
      where: sql`t.id = d.id`,
      expect: null,
      returning: ['fence'],
    }),
    moved('objects', objectMachine, ['doom'], {
      set: doomed(at, secondsAfter(at, wakeUpSeconds)),
      from: sql`"assets" a`,
      where: sql`t.asset_id = a.id and t.role = 'original' and t.state = 'reserved' and t.fence <= a.fence`,
      expect: null,
    }),
    moved('runs', runMachine, ['fail'], {
      set: { error_code: 'lease_lost', finished_at: at },
      from: sql`"assets" a`,
      where: sql`t.asset_id = a.id and t.job = 'promote_asset' and t.fence <= a.fence`,
      expect: null,
    }),
  ]
  await moves(db, ctx, steps, { at, jobs: ids.map((id) => ({ name: 'promote_asset', id })), reason: 'lease_lost' })
}

/**
 * Gives variants whose worker's lease ran out back to the queue, by way of their assets: those are locked in ascending order, as a claim
 * does, and those that somebody holds are left for the next look.
 */
export async function giveBackVariants(
  db: Queryable,
  ctx: Recorder,
  { assetIds, jobs }: { readonly assetIds: readonly string[]; readonly jobs: readonly JobRequest[] },
): Promise<void> {
  if (assetIds.length === 0) return
  const at = ctx.clock.now()
  const lapsed = sql`
    select a.id from rindle.media_assets a
     where a.id = any(${assetIds}::uuid[])
       and exists (select from rindle.media_variants v where v.asset_id = a.id and v.state = 'processing' and v.due_at <= ${at}::timestamptz)
     order by a.id for no key update skip locked`
  const steps = [
    also('lapsed', lapsed, { expect: null }),
    moved('assets', assetMachine, [], { from: sql`"lapsed" d`, where: sql`t.id = d.id`, expect: null, returning: ['state'] }),
    moved('variants', variantMachine, ['give_back'], {
      set: { fence: sql`t.fence + 1`, due_at: secondsAfter(at, wakeUpSeconds) },
      from: sql`"assets" a`,
      where: sql`t.asset_id = a.id and t.due_at <= ${at}::timestamptz`,
      expect: null,
      returning: ['fence', 'name'],
    }),
    moved('objects', objectMachine, ['doom'], {
      set: doomed(at, secondsAfter(at, wakeUpSeconds)),
      from: sql`"variants" v`,
      where: sql`t.variant_id = v.id and t.state = 'reserved' and t.fence < v.fence`,
      expect: null,
    }),
    moved('runs', runMachine, ['fail'], {
      set: { error_code: 'lease_lost', finished_at: at },
      from: sql`"assets" a`,
      where: sql`t.asset_id = a.id
        and (t.variant_names && array(select v.name from "variants" v where v.asset_id = a.id) or (t.job = 'promote_asset' and a.state <> 'analyzing'))`,
      expect: null,
    }),
  ]
  await moves(db, ctx, steps, { at, jobs, reason: 'lease_lost' })
}

/** Forgets ended sessions that no object names any more, and looks after the others in an hour. */
export async function forgetSessions(db: Queryable, { ids, at }: { readonly ids: readonly string[]; readonly at: Date }): Promise<void> {
  if (ids.length === 0) return
  await sql`
    with due as (
      select s.id, exists (select from rindle.media_objects o where o.session_id = s.id) as named
        from rindle.media_upload_sessions s
       where s.id = any(${ids}::uuid[]) and s.due_at <= ${at}::timestamptz and s.state in ('completed', 'aborted', 'expired', 'failed')
       order by s.id for update skip locked),
    gone as (
      delete from rindle.media_upload_sessions t using due d where t.id = d.id and not d.named returning t.id)
    update rindle.media_upload_sessions t set due_at = ${secondsAfter(at, residueSeconds)}::timestamptz
      from due d
     where t.id = d.id and d.named`.execute(db)
}

/** An object below `unmanaged/` whose writer has let its time pass. */
interface LapsedObject {
  readonly id: string
  readonly store: string
  readonly key: string
}

export async function findLapsedObject(db: Queryable, id: string, at: Date): Promise<LapsedObject | null> {
  const { rows } = await sql<LapsedObject>`
    select o.id, o.store, o.key from rindle.media_objects o
     where o.id = ${id}::uuid and o.role = 'unmanaged' and o.state = 'reserved' and o.due_at <= ${at}::timestamptz`.execute(db)
  return rows[0] ?? null
}

/** Records what was found of such an object: it is there, or it is to be deleted in case it still lands. */
export async function settleLapsedObject(
  db: Queryable,
  ctx: Recorder,
  { id, head }: { readonly id: string; readonly head: ObjectHead | null },
): Promise<void> {
  const at = ctx.clock.now()
  const where = sql`t.id = ${id}::uuid and t.state = 'reserved' and t.due_at <= ${at}::timestamptz`
  const step = head
    ? moved('object', objectMachine, ['confirm'], {
        set: {
          byte_size: head.sizeBytes,
          etag: head.etag,
          version: head.version,
          content_type: sql`coalesce(t.content_type, ${head.contentType}::text)`,
        },
        where,
        expect: null,
      })
    : moved('object', objectMachine, ['doom'], { set: doomed(at), where, expect: null })
  await moves(db, ctx, [step], { at, ...(head ? {} : { jobs: [{ name: 'delete_object' as const, id }] }) })
}
