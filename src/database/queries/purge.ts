import { sql } from 'kysely'
import { assetMachine, type AssetState } from '../../core/asset.ts'
import { objectMachine, type ObjectState } from '../../core/object.ts'
import { endedSessionSeconds, secondsAfter, wakeUpSeconds } from '../../core/patience.ts'
import type { JobRequest } from '../../core/ports/queue.ts'
import { runMachine } from '../../core/run.ts'
import { uploadSessionMachine } from '../../core/upload-session.ts'
import { variantMachine } from '../../core/variant.ts'
import type { Queryable } from '../database.ts'
import { also, moved } from '../move.ts'
import { moves, type Recorder, type Step } from '../statement.ts'
import { doomed } from './doomed.ts'

/** An asset as the purge looks at it. */
export interface PurgeableAsset {
  readonly id: string
  readonly profile: string
  readonly state: AssetState
  readonly hasPassed: boolean
  /** True while an original is there to be served, or kept in quarantine. */
  readonly hasBytes: boolean
  readonly dueAt: Date | null
}

/** How the asset is locked: `decide` keeps attaches away as well, `settle` lets an adopter's open attach stand. */
type AssetLock = 'decide' | 'settle'

/** Locks the asset. Whatever is decided on the absence of rows is to be looked at in a later statement, which sees what this one waited for. */
export async function lockAsset(tx: Queryable, assetId: string, lock: AssetLock): Promise<PurgeableAsset | null> {
  const { rows } = await sql<{
    id: string
    profile: string
    state: AssetState
    has_passed: boolean
    has_bytes: boolean
    due_at: Date | null
  }>`
    select a.id, a.profile, a.state, a.passed_at is not null as has_passed, a.object_id is not null as has_bytes, a.due_at
      from rindle.media_assets a
     where a.id = ${assetId}::uuid
       for ${lock === 'decide' ? sql`update` : sql`no key update`}`.execute(tx)
  const [row] = rows
  return row
    ? { id: row.id, profile: row.profile, state: row.state, hasPassed: row.has_passed, hasBytes: row.has_bytes, dueAt: row.due_at }
    : null
}

/** How much of what others commit meanwhile the open transaction sees: `read committed` sees it with its next statement. */
export async function isolationOf(tx: Queryable): Promise<string> {
  const { rows } = await sql<{ isolation: string }>`select current_setting('transaction_isolation') as isolation`.execute(tx)
  return rows[0]?.isolation ?? 'unknown'
}

/** What holds an asset and what it holds, in one snapshot. */
interface Ties {
  /** Attachments that show it, or will. */
  readonly held: number
  /** Released ones that were deleted by the looking itself: a detach takes no lock of the asset, so a second look could miss one. */
  readonly released: number
  /** Objects that are not doomed yet. */
  readonly objectIds: readonly string[]
}

export async function takeReleased(tx: Queryable, assetId: string): Promise<Ties> {
  const { rows } = await sql<{ held: number; released: number; object_ids: string[] }>`
    with gone as (
      delete from rindle.media_attachments t where t.asset_id = ${assetId}::uuid and t.standing = 'released' returning t.id)
    select (select count(*) from gone)::int as released,
           (select count(*) from rindle.media_attachments t where t.asset_id = ${assetId}::uuid and t.standing <> 'released')::int as held,
           (select coalesce(jsonb_agg(o.id order by o.id), '[]')
              from rindle.media_objects o
             where o.asset_id = ${assetId}::uuid and o.state in ('reserved', 'present')) as object_ids`.execute(tx)
  const [row] = rows
  return { held: row?.held ?? 0, released: row?.released ?? 0, objectIds: row?.object_ids ?? [] }
}

/** Lets the released attachments of an asset wait: nobody looks whether it may go before `until`. */
export async function deferReleased(tx: Queryable, assetId: string, until: Date): Promise<void> {
  await sql`
    update rindle.media_attachments t set due_at = ${until}::timestamptz
     where t.asset_id = ${assetId}::uuid and t.standing = 'released'`.execute(tx)
}

/** Says when somebody is to look at the asset again; null for never. */
export async function setAssetDue(tx: Queryable, assetId: string, dueAt: Date | null): Promise<void> {
  await sql`update rindle.media_assets t set due_at = ${dueAt}::timestamptz where t.id = ${assetId}::uuid`.execute(tx)
}

interface Going {
  readonly objectIds: readonly string[]
  readonly reason?: string
}

/** Begins the purge of an asset that `lockAsset(…, 'decide')` locked and nothing holds: nobody can attach or read it from here on. */
export async function doomAsset(tx: Queryable, ctx: Recorder, assetId: string, { objectIds, reason }: Going): Promise<void> {
  const at = ctx.clock.now()
  const from = sql`"asset" a`
  const steps = [
    moved('asset', assetMachine, ['doom'], {
      set: { alive: false, fence: sql`t.fence + 1`, object_id: null, due_at: secondsAfter(at, wakeUpSeconds) },
      where: sql`t.id = ${assetId}::uuid`,
    }),
    moved('session', uploadSessionMachine, ['abort'], {
      set: { object_id: null, due_at: secondsAfter(at, endedSessionSeconds) },
      from,
      where: sql`t.asset_id = a.id`,
      expect: null,
    }),
    droppedVariants(),
    everyObject(at),
    moved('run', runMachine, ['fail'], {
      set: { error_code: 'lease_lost', finished_at: at },
      from,
      where: sql`t.asset_id = a.id`,
      expect: null,
    }),
  ]
  await moves(tx, ctx, steps, { at, jobs: deletions(objectIds), ...(reason === undefined ? {} : { reason }) })
}

/** Gives up the bytes of a quarantined asset that something still holds, when they have been kept for long enough. The row stays as it is. */
export async function endKeeping(tx: Queryable, ctx: Recorder, assetId: string, { objectIds }: Going): Promise<void> {
  const at = ctx.clock.now()
  const steps = [
    moved('asset', assetMachine, [], {
      set: { fence: sql`t.fence + 1`, object_id: null, due_at: null },
      where: sql`t.id = ${assetId}::uuid and t.state = 'quarantined'`,
    }),
    droppedVariants(),
    everyObject(at),
  ]
  await moves(tx, ctx, steps, { at, jobs: [...deletions(objectIds), { name: 'settle_slots', id: assetId }] })
}

const droppedVariants = (): Step =>
  moved('variants', variantMachine, ['drop'], {
    set: { fence: sql`t.fence + 1`, object_id: null },
    from: sql`"asset" a`,
    where: sql`t.asset_id = a.id`,
    expect: null,
  })

const everyObject = (at: Date): Step =>
  moved('objects', objectMachine, ['doom'], {
    set: doomed(at, secondsAfter(at, wakeUpSeconds)),
    from: sql`"asset" a`,
    where: sql`t.asset_id = a.id`,
    expect: null,
  })

const deletions = (objectIds: readonly string[]): JobRequest[] => objectIds.map((id) => ({ name: 'delete_object', id }))

/** What keeps the row of an asset that is being purged: objects not gone yet, and sessions that ended less than a day ago. */
interface Residue {
  readonly remaining: number
  /** When the next of them is due; null when there is none. */
  readonly nextDueAt: Date | null
}

export async function findResidue(tx: Queryable, assetId: string, at: Date): Promise<Residue> {
  const { rows } = await sql<{ remaining: number; due_at: Date | null }>`
    select count(*)::int as remaining, min(r.due_at) as due_at
      from (select o.due_at from rindle.media_objects o where o.asset_id = ${assetId}::uuid
            union all
            select s.due_at from rindle.media_upload_sessions s where s.asset_id = ${assetId}::uuid and s.due_at > ${at}::timestamptz) r`.execute(
    tx,
  )
  const [row] = rows
  return { remaining: row?.remaining ?? 0, nextDueAt: row?.due_at ?? null }
}

/** Removes the row of a purged asset, whose objects are gone, with everything that belonged to it but its history. */
export async function removeAsset(tx: Queryable, assetId: string): Promise<void> {
  await sql`
    with attachments as (delete from rindle.media_attachments t where t.asset_id = ${assetId}::uuid and t.standing = 'released'),
         variants as (delete from rindle.media_variants t where t.asset_id = ${assetId}::uuid),
         sessions as (delete from rindle.media_upload_sessions t where t.asset_id = ${assetId}::uuid),
         runs as (delete from rindle.media_processing_runs t where t.asset_id = ${assetId}::uuid)
    delete from rindle.media_assets t where t.id = ${assetId}::uuid and t.state = 'deleted'`.execute(tx)
}

/** An object that is to be deleted, or once more. */
export interface CondemnedObject {
  readonly id: string
  readonly store: string
  readonly key: string
  /** Of the multipart upload that was to become it; null when there was none, or none that was recorded. */
  readonly uploadId: string | null
  readonly state: Extract<ObjectState, 'doomed' | 'watched'>
  readonly watchUntil: Date | null
  /** When it came into its state. */
  readonly since: Date
}

/** @returns null when there is none, or when it is still needed. */
export async function findCondemnedObject(db: Queryable, objectId: string): Promise<CondemnedObject | null> {
  const { rows } = await sql<{
    id: string
    store: string
    key: string
    upload_id: string | null
    state: 'doomed' | 'watched'
    watch_until: Date | null
    state_changed_at: Date
  }>`
    select o.id, o.store, o.key, o.upload_id, o.state, o.watch_until, o.state_changed_at
      from rindle.media_objects o
     where o.id = ${objectId}::uuid and o.state in ('doomed', 'watched')`.execute(db)
  const [row] = rows
  return row
    ? {
        ...{ id: row.id, store: row.store, key: row.key, uploadId: row.upload_id },
        ...{ state: row.state, watchUntil: row.watch_until, since: row.state_changed_at },
      }
    : null
}

/** Records that storage has deleted the object, by a deletion begun then, while something may still land at its key. */
export async function watchObject(db: Queryable, ctx: Recorder, objectId: string, begunAt: Date): Promise<void> {
  const watched = sql`t.id = ${objectId}::uuid and t.watch_until > ${begunAt}::timestamptz`
  await moves(db, ctx, [moved('object', objectMachine, ['delete'], { set: { due_at: sql`t.watch_until` }, where: watched })])
}

/**
 * Forgets an object that storage has deleted, by a deletion begun when nothing could bring it back any more.
 *
 * @throws RindleError `statement_missed` when it was watched then.
 */
export async function removeObject(
  db: Queryable,
  ctx: Recorder,
  object: Pick<CondemnedObject, 'id' | 'state'>,
  begunAt: Date,
): Promise<void> {
  const move = object.state === 'doomed' ? 'delete' : 'forget'
  const removed: Step = {
    as: 'removed',
    expect: 1,
    returns: false,
    history: [`'object'::text as entity, id, asset_id, '${move}'::text as move, was as from_state, 'gone'::text as to_state from removed`],
    write: (to) =>
      void to.fragment(sql`
      delete from rindle.media_objects t
       where t.id = ${object.id}::uuid and t.state = ${object.state}::text and coalesce(t.watch_until <= ${begunAt}::timestamptz, true)
      returning t.id, t.asset_id, t.state as was`),
  }
  await moves(db, ctx, [removed])
}

/** Puts a deletion that failed off until later, and enqueues it for then. Does nothing when the object has moved on. */
export async function postponeDeletion(
  db: Queryable,
  ctx: Recorder,
  object: Pick<CondemnedObject, 'id' | 'state'>,
  delaySeconds: number,
): Promise<void> {
  const at = ctx.clock.now()
  const postponed = sql`
    update rindle.media_objects t set due_at = ${secondsAfter(at, delaySeconds)}::timestamptz
     where t.id = ${object.id}::uuid and t.state = ${object.state}::text
    returning t.id`
  await moves(db, ctx, [also('postponed', postponed, { expect: null })], {
    at,
    jobs: [{ name: 'delete_object', id: object.id, delaySeconds }],
  })
}
