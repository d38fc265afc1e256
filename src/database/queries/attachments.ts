import { sql, type RawBuilder } from 'kysely'
import { type Asset, deliverableStates, type Owner } from '../../core/asset.ts'
import type { AttachmentWish, NewRow, SlotPlan, SlotRow } from '../../core/attachment.ts'
import { secondsAfter, wakeUpSeconds } from '../../core/patience.ts'
import type { JobRequest } from '../../core/ports/queue.ts'
import type { Variant } from '../../core/variant.ts'
import { lockNumber } from '../carriers/carrier.ts'
import type { Queryable } from '../database.ts'
import { also } from '../move.ts'
import { shapedMoves, moves, type Recorder, type Step } from '../statement.ts'
import { literal, quotedName } from '../statement-writer.ts'
import { type AssetJson, assetOf, type VariantJson, variantOf } from './json-rows.ts'

/** One slot of one owner: what attach and detach lock. */
export interface SlotKey {
  readonly owner: Owner
  readonly slot: string
}

/** A row of one of several slots, which `slot` tells apart. */
interface LookedAtRow extends SlotRow {
  readonly slot: string
  readonly due: boolean
}

/** An asset and all its variants, as they stood in one snapshot. */
export interface Whole {
  readonly asset: Asset
  readonly variants: readonly Variant[]
}

export interface ShownRow extends SlotRow, Whole {
  /** Which of the owners asked for: its place in the list. */
  readonly place: number
}

interface RowJson {
  readonly id: string
  readonly asset_id: string
  readonly standing: SlotRow['standing']
  readonly position: number | null
  readonly alt: string | null
  readonly caption: string | null
}
interface WholeJson {
  readonly asset: AssetJson
  readonly variants: VariantJson[]
}

/** Locks those of the slots that nobody holds, in ascending order, without waiting. @returns those that are held now. */
export async function tryLockSlots<K extends SlotKey>(tx: Queryable, keys: readonly K[]): Promise<K[]> {
  const { rows } = await sql<{ place: number; held: boolean }>`
    select s.place, pg_try_advisory_xact_lock(s.number) as held
      from (select (k.place - 1)::int as place, ${lockNumberOfKey} as number
              from unnest(${keys.map(slotText)}::text[]) with ordinality as k (name, place)
             order by number) s`.execute(tx)
  const held = new Set(rows.filter((row) => row.held).map(({ place }) => place))
  return keys.filter((_, place) => held.has(place))
}

const lockNumberOfKey = sql.raw(lockNumber('k.name'))

export interface NewAttachment extends SlotKey {
  readonly id: string
  readonly many: boolean
  readonly assetId: string
  readonly profile: string
  readonly wish: AttachmentWish
}

/**
 * Locks the asset against being purged and the slot's rows, and attaches at once where nothing has to be decided: the asset has passed the
 * gate and is not there yet, and the slot is empty or takes many. Otherwise it writes nothing. The slot must be locked by a former statement.
 *
 * @returns what was looked at: null for an asset that is not there.
 */
export async function lookAndAttach(
  tx: Queryable,
  ctx: Recorder,
  wanted: NewAttachment,
): Promise<{ readonly found: Whole | null; readonly rows: readonly SlotRow[]; readonly attached: boolean }> {
  const { wish, owner, ...given } = wanted
  const looked = await attachedAtOnce(
    tx,
    ctx,
    {
      ...{ ...given, ownerType: owner.type, ownerId: owner.id, states: deliverableStates },
      ...{ position: wish.position ?? null, alt: wish.alt ?? null, caption: wish.caption ?? null },
    },
    { isMany: wanted.many },
  )
  const [whole] = looked['found'] as unknown as readonly WholeJson[]
  return {
    found: whole ? wholeOf(whole) : null,
    rows: (looked['there'] as unknown as readonly RowJson[]).map(rowOf),
    attached: looked['put']?.length === 1,
  }
}

interface AttachedAtOnce extends Omit<NewAttachment, 'owner' | 'wish'>, Required<AttachmentWish> {
  readonly ownerType: string
  readonly ownerId: string
  readonly states: readonly string[]
}

const attachedAtOnce = shapedMoves<AttachedAtOnce, { readonly isMany: boolean }>((given, _, { isMany }) => {
  const taken = isMany ? sql`(select from there where there.asset_id = found.id)` : sql`(select from there)`
  const position = isMany
    ? sql`coalesce(${given.position}::int, (select max(there.position) + 1 from there), 0)`
    : sql`${given.position}::int`
  const put: Step = {
    as: 'put',
    expect: null,
    returns: true,
    history: [historyRow('attach', 'null::text', 'standing', 'put')],
    write: (to, at) =>
      void to.fragment(sql`
      insert into rindle.media_attachments as t (id, owner_type, owner_id, slot, many, asset_id, standing, position, alt, caption, inserted_at)
      select ${given.id}::uuid, ${given.ownerType}::text, ${given.ownerId}::text, ${given.slot}::text, ${given.many}::boolean, found.id,
             'current', ${position}, ${given.alt}::text, ${given.caption}::text, ${at}::timestamptz
        from found
       where found.state = any(${given.states}::text[]) and found.profile = ${given.profile}::text and not exists ${taken}
      returning t.id, t.asset_id, t.standing`),
  }
  const found = sql`
    select a.id, a.state, a.profile, row_to_json(a) as asset, ${variantsJson} as variants
      from rindle.media_assets a where a.id = ${given.assetId}::uuid for key share`
  return [
    also('found', found, { expect: null, returns: true }),
    also('there', rowsOfSlot(given.ownerType, given.ownerId, given.slot), { expect: null, returns: true }),
    put,
  ]
})

/** The rows of a slot that is locked, locked as well. */
export async function lockRowsOfSlot(tx: Queryable, key: SlotKey): Promise<SlotRow[]> {
  const { rows } = await rowsOfSlot(key.owner.type, key.owner.id, key.slot).execute(tx)
  return rows.map(rowOf)
}

/** The ids of all rows of a slot, released ones included, as `db` sees them. */
export async function listIdsInSlot(db: Queryable, { owner, slot }: SlotKey): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    select t.id
      from rindle.media_attachments t
     where t.owner_type = ${owner.type}::text and t.owner_id = ${owner.id}::text and t.slot = ${slot}::text`.execute(db)
  return rows.map(({ id }) => id)
}

/** The slots in which an attachment of the asset waits to be settled, and the owners they belong to. */
export async function listSlotsToSettle(db: Queryable, assetId: string, limit: number): Promise<SlotKey[]> {
  const { rows } = await sql<{ owner_type: string; owner_id: string; slot: string }>`
    select distinct t.owner_type, t.owner_id, t.slot
      from rindle.media_attachments t
     where t.asset_id = ${assetId}::uuid and t.standing <> 'released' and t.due_at is not null
     limit ${limit}::int`.execute(db)
  return rows.map((row) => ({ owner: { type: row.owner_type, id: row.owner_id }, slot: row.slot }))
}

/** Every row of slots that are locked, each with the text of its slot. */
export async function listRowsOfSlots(tx: Queryable, keys: readonly SlotKey[]): Promise<LookedAtRow[]> {
  const { rows } = await sql<RowJson & { key: string; due: boolean }>`
    select t.id, t.asset_id, t.standing, t.position, t.alt, t.caption, k.name as key, t.due_at is not null as due
      from unnest(${keys.map(({ owner }) => owner.type)}::text[], ${keys.map(({ owner }) => owner.id)}::text[],
                  ${keys.map(({ slot }) => slot)}::text[], ${keys.map(slotText)}::text[]) as k (owner_type, owner_id, slot, name)
      join rindle.media_attachments t on t.owner_type = k.owner_type and t.owner_id = k.owner_id and t.slot = k.slot
     where t.standing <> 'released'
     order by t.id`.execute(tx)
  return rows.map((row) => ({ ...rowOf(row), slot: row.key, due: row.due }))
}

/**
 * Writes what was decided about slots that are locked. Releases come first, so that the unique indexes see them before what takes their
 * place. `left` names the move of the released rows in the history: `release` when something else took their place.
 */
export async function writeSlots(
  tx: Queryable,
  ctx: Recorder,
  plan: SlotPlan,
  options: {
    readonly left: 'release' | 'detach'
    readonly insert?: NewAttachment
    readonly jobs: readonly JobRequest[]
    readonly reason?: string
  },
): Promise<void> {
  const at = ctx.clock.now()
  const settleAt = secondsAfter(at, wakeUpSeconds)
  const steps = [
    ...(plan.release.length > 0 ? [releaseStep(plan, options.left)] : []),
    ...(plan.refuse.length > 0 ? [refuseStep(plan)] : []),
    ...(plan.change.length > 0 ? [changeStep(plan, settleAt)] : []),
    ...(plan.insert && options.insert ? [insertStep(plan, options.insert, plan.insert, settleAt)] : []),
  ]
  const anchored = steps.length > 0 ? steps : [also('nothing', sql`select 1`, { expect: null })]
  await moves(tx, ctx, anchored, { at, jobs: options.jobs, ...(options.reason === undefined ? {} : { reason: options.reason }) })
}

/** What stands in `slot` of each of the owners, with assets and all their variants: by owner, then position, then id. */
export async function listAttachments(db: Queryable, owners: readonly Owner[], slot: string): Promise<ShownRow[]> {
  const { rows } = await sql<RowJson & WholeJson & { place: number }>`
    select (o.place - 1)::int as place, t.id, t.asset_id, t.standing, t.position, t.alt, t.caption, row_to_json(a) as asset, ${variantsJson} as variants
      from unnest(${owners.map(({ type }) => type)}::text[], ${owners.map(({ id }) => id)}::text[]) with ordinality as o (type, id, place)
      join rindle.media_attachments t on t.owner_type = o.type and t.owner_id = o.id and t.slot = ${slot}::text
      join rindle.media_assets a on a.id = t.asset_id
     where t.standing <> 'released'
     order by o.place, t.position nulls last, t.id`.execute(db)
  return rows.map((row) => ({ ...rowOf(row), ...wholeOf(row), place: row.place }))
}

/** Those of an asset's variants that are ready, by name. */
export async function listReadyVariants(db: Queryable, assetId: string): Promise<Variant[]> {
  const { rows } = await sql<{ variant: VariantJson }>`
    select to_jsonb(v) as variant
      from rindle.media_variants v
     where v.asset_id = ${assetId}::uuid and v.state = 'ready'
     order by v.name`.execute(db)
  return rows.map(({ variant }) => variantOf(variant))
}

const releaseStep = (plan: SlotPlan, left: 'release' | 'detach'): Step => ({
  as: 'released',
  expect: plan.release.length,
  returns: false,
  history: [historyRow(left, 'was', `'released'::text`, 'released')],
  write: (to, at) =>
    void to.fragment(sql`
    update rindle.media_attachments as t set standing = 'released', due_at = ${at}::timestamptz
      from unnest(${plan.release.map(({ id }) => id)}::uuid[], ${plan.release.map(({ standing }) => standing)}::text[]) as r (id, was)
     where t.id = r.id and t.standing = r.was
    returning t.id, t.asset_id, r.was`),
})

const refuseStep = (plan: SlotPlan): Step => ({
  as: 'refused',
  expect: plan.refuse.length,
  returns: false,
  history: [historyRow('refuse', 'standing', `'gone'::text`, 'refused')],
  write: (to) =>
    void to.fragment(sql`
    delete from rindle.media_attachments as t where t.id = any(${plan.refuse.map(({ id }) => id)}::uuid[]) and t.standing <> 'released'
    returning t.id, t.asset_id, t.standing`),
})

/** The releases are read here, which is what runs them first. */
const afterReleases = (plan: SlotPlan): RawBuilder<unknown> =>
  plan.release.length > 0 ? sql`and (select count(*) from released) >= 0` : sql``

const changeStep = (plan: SlotPlan, settleAt: Date): Step => ({
  as: 'changed',
  expect: plan.change.length,
  returns: false,
  history: [`${historyRow('replace', 'was', 'standing', 'changed')} where was <> standing`],
  write: (to) =>
    void to.fragment(sql`
    update rindle.media_attachments as t
       set standing = c.standing, due_at = case when c.due then ${settleAt}::timestamptz end, alt = c.alt, caption = c.caption, position = c.position
      from jsonb_to_recordset(${JSON.stringify(plan.change)}::text::jsonb)
             as c (id uuid, was text, standing text, due boolean, alt text, caption text, position int)
     where t.id = c.id and t.standing = c.was ${afterReleases(plan)}
    returning t.id, t.asset_id, t.standing, c.was`),
})

const insertStep = (plan: SlotPlan, wanted: NewAttachment, row: NewRow, settleAt: Date): Step => ({
  as: 'put',
  expect: 1,
  returns: false,
  history: [historyRow('attach', 'null::text', 'standing', 'put')],
  write: (to, at) =>
    void to.fragment(sql`
    insert into rindle.media_attachments as t (id, owner_type, owner_id, slot, many, asset_id, standing, due_at, position, alt, caption, inserted_at)
    select ${wanted.id}::uuid, ${wanted.owner.type}::text, ${wanted.owner.id}::text, ${wanted.slot}::text, ${wanted.many}::boolean, ${row.assetId}::uuid,
           ${row.standing}::text, ${row.due ? settleAt : null}::timestamptz, ${row.position}::int, ${row.alt}::text, ${row.caption}::text, ${at}::timestamptz
     where true ${afterReleases(plan)}
    returning t.id, t.asset_id, t.standing`),
})

/** Attachments have no machine; their history has this form. */
const historyRow = (move: string, from: string, to: string, step: string): string =>
  `'attachment'::text as entity, id, asset_id, ${literal(move)} as move, ${from} as from_state, ${to} as to_state from ${quotedName(step)}`

const rowsOfSlot = (ownerType: unknown, ownerId: unknown, slot: unknown): RawBuilder<RowJson> => sql<RowJson>`
  select t.id, t.asset_id, t.standing, t.position, t.alt, t.caption
    from rindle.media_attachments t
   where t.owner_type = ${ownerType}::text and t.owner_id = ${ownerId}::text and t.slot = ${slot}::text and t.standing <> 'released'
   order by t.id
     for update`

const variantsJson = sql`(select coalesce(json_agg(v order by v.name), '[]') from rindle.media_variants v where v.asset_id = a.id)`

/** The advisory lock of a slot: whoever holds it decides what stands there. */
export const slotText = ({ owner, slot }: SlotKey): string => JSON.stringify(['rindle', owner.type, owner.id, slot])

const rowOf = (row: RowJson): SlotRow => ({
  id: row.id,
  assetId: row.asset_id,
  standing: row.standing,
  position: row.position,
  alt: row.alt,
  caption: row.caption,
})

const wholeOf = (row: WholeJson): Whole => ({ asset: assetOf(row.asset), variants: row.variants.map(variantOf) })
