import { sql } from 'kysely'
import { type Asset, assetMachine, type AssetState, deliverableStates } from '../../core/asset.ts'
import type { JobName } from '../../core/jobs.ts'
import { objectMachine } from '../../core/object.ts'
import { wakeUpSeconds } from '../../core/patience.ts'
import type { PastRun } from '../../core/trouble.ts'
import { runMachine } from '../../core/run.ts'
import { type OutputKind, variantMachine, type VariantState } from '../../core/variant.ts'
import type { Queryable } from '../database.ts'
import { also, born, moved, moves, type Recorder, type Step } from '../move.ts'
import { doomed } from './doomed.ts'
import type { GateObject } from './gate-claim.ts'
import { type AssetJson, assetOf } from './json-rows.ts'
import type { VariantHold } from './variants.ts'

/** A variant as a build looks at it. */
export interface BuildVariant extends VariantHold {
  readonly name: string
  readonly state: VariantState
  readonly outputKind: OutputKind
  /** Lower-case hex of what is wanted. */
  readonly digest: string
  readonly isDue: boolean
  readonly past: readonly PastRun[]
}

export interface BuildLook {
  readonly asset: Asset
  /** The original that is served. */
  readonly original: GateObject | null
  readonly variants: readonly BuildVariant[]
  readonly isAttached: boolean
}

/** An asset with what is to be built from it, in one snapshot; null when there is no row. */
export async function findBuild(db: Queryable, assetId: string, at: Date): Promise<BuildLook | null> {
  const { rows } = await sql<{ asset: AssetJson; original: GateObject | null; variants: BuildVariant[]; attached: boolean }>`
    select to_jsonb(a) as asset,
           (select jsonb_build_object('id', o.id, 'role', o.role, 'store', o.store, 'key', o.key, 'etag', o.etag, 'version', o.version)
              from rindle.media_objects o where o.id = a.object_id and o.state = 'present') as original,
           (select coalesce(jsonb_agg(jsonb_build_object(
                     'id', v.id, 'name', v.name, 'state', v.state, 'fence', v.fence, 'outputKind', v.output_kind,
                     'digest', encode(v.recipe_digest, 'hex'), 'isDue', v.due_at <= ${at}::timestamptz,
                     'past', (select coalesce(jsonb_agg(jsonb_build_object('state', r.state, 'errorCode', r.error_code) order by r.started_at desc, r.id desc), '[]')
                                from rindle.media_processing_runs r
                               where r.asset_id = a.id and v.name = any(r.variant_names))) order by v.id), '[]')
              from rindle.media_variants v where v.asset_id = a.id) as variants,
           exists (select from rindle.media_attachments m where m.asset_id = a.id and m.standing <> 'released' and m.due_at is not null) as attached
      from rindle.media_assets a
     where a.id = ${assetId}::uuid`.execute(db)
  const row = rows[0]
  return row ? { asset: assetOf(row.asset), original: row.original, variants: row.variants, isAttached: row.attached } : null
}

export interface BuildBid {
  readonly look: BuildLook
  readonly variants: readonly {
    readonly id: string
    readonly name: string
    readonly digest: string
    readonly object: { readonly id: string; readonly key: string; readonly contentType: string }
  }[]
  readonly store: string
  readonly runId: string
  readonly worker: string
  readonly leaseUntil: Date
}

/**
 * Takes variants to be made, each under a fence of its own, and reserves their keys.
 *
 * @returns the fences and the asset's revision from here on.
 * @throws RindleError `statement_missed` when the asset or one of them has moved on since it was looked at; nothing was changed.
 */
export async function claimBuild(
  db: Queryable,
  ctx: Recorder,
  bid: BuildBid,
): Promise<{ readonly revision: number; readonly variants: readonly (VariantHold & { readonly name: string })[] }> {
  const at = ctx.clock.now()
  const { asset } = bid.look
  const names = bid.variants.map(({ name }) => name)
  const written = await moves(
    db,
    ctx,
    [
      moved('asset', assetMachine, [], { where: heldAsset(asset), returning: ['revision'] }),
      moved('variants', variantMachine, ['start'], {
        set: { fence: sql`t.fence + 1`, due_at: bid.leaseUntil, progress: 0, recipe_digest: sql`decode(m.digest, 'hex')` },
        from: sql`"asset" a, jsonb_to_recordset(${JSON.stringify(bid.variants.map(({ id, digest }) => ({ id, digest })))}::text::jsonb) as m (id uuid, digest text)`,
        where: sql`t.id = m.id and t.asset_id = a.id and (t.state = 'queued' or t.due_at <= ${at}::timestamptz)`,
        expect: sql`${bid.variants.length}::int`,
        returning: ['name', 'fence', 'recipe_digest'],
      }),
      moved('lapsed', objectMachine, ['doom'], {
        set: doomed(at),
        from: sql`"variants" n`,
        where: sql`t.variant_id = n.id and t.state = 'reserved' and t.fence < n.fence`,
        expect: null,
      }),
      born('objects', objectMachine, [], {
        rows: bid.variants.map((variant) => objectRow(bid, variant)),
        columns: { fence: sql`n.fence`, recipe_digest: sql`n.recipe_digest` },
        from: sql`"variants" n`,
        where: sql`n.id = v.variant_id`,
        expect: sql`${bid.variants.length}::int`,
      }),
      moved('lost', runMachine, ['fail'], {
        set: { error_code: 'lease_lost', finished_at: at },
        from: sql`"asset" a`,
        where: sql`t.asset_id = a.id and t.variant_names && ${names}::text[]`,
        expect: null,
      }),
      born('run', runMachine, [], {
        rows: [runRow(bid, names)],
        columns: {
          attempt: sql`1 + (select count(*)::int from rindle.media_processing_runs r where r.asset_id = a.id and r.variant_names && ${names}::text[])`,
        },
        from: sql`"asset" a`,
      }),
    ],
    { at },
  )
  const touched = written['asset']?.[0] as unknown as { readonly revision: number }
  return {
    revision: touched.revision,
    variants: (written['variants'] ?? []) as unknown as readonly (VariantHold & { readonly name: string })[],
  }
}

const objectRow = ({ look, store }: BuildBid, { id, object }: BuildBid['variants'][number]) => ({
  id: object.id,
  asset_id: look.asset.id,
  variant_id: id,
  role: 'variant',
  store,
  key: object.key,
  content_type: object.contentType,
})

const runRow = ({ look, runId, worker }: BuildBid, names: readonly string[]) => ({
  id: runId,
  asset_id: look.asset.id,
  job: 'build_variants' satisfies JobName,
  worker,
  variant_names: names,
  fence: 0,
})

const heldAsset = (asset: { readonly id: string; readonly revision: number; readonly state: AssetState }) =>
  sql`t.id = ${asset.id}::uuid and t.revision = ${asset.revision}::int and t.state = ${asset.state}::text and t.state = any(${deliverableStates}::text[])`

/** What became of one variant that this worker held. */
export type VariantOutcome = VariantHold & { readonly name: string; readonly digest: string; readonly objectId: string | null } & (
    | {
        readonly result: 'stored'
        readonly etag: string
        readonly version: string | null
        readonly sha256: string
        readonly byteSize: number
        readonly contentType: string
        readonly width: number
        readonly height: number
      }
    | { readonly result: 'failed'; readonly code: string; readonly message: string }
    | { readonly result: 'later'; readonly delaySeconds: number }
  )

export interface BuildSettlement {
  readonly asset: { readonly id: string; readonly revision: number; readonly state: AssetState }
  readonly path: readonly ('rest' | 'process' | 'transcode' | 'finish' | 'degrade')[]
  /** Why the asset is not whole, when its original is; absent leaves what is there. */
  readonly problem?: { readonly code: string; readonly message: string } | null
  /** Of those variants that still hold. */
  readonly outcomes: readonly VariantOutcome[]
  /** Ids of those stored ones that are wanted otherwise by now. */
  readonly outdated: readonly string[]
  /** Keys that were reserved for variants that no longer hold. */
  readonly abandoned: readonly string[]
  /** False when no variant can have had an object before. */
  readonly mayReplace: boolean
  readonly run: {
    readonly id: string
    readonly how: 'succeed' | 'fail'
    readonly code: string | null
    readonly figures: Readonly<Record<string, unknown>>
  }
}

/**
 * Writes what became of a build: pointers swap, what they pointed to is doomed, and the asset is what its variants make it.
 *
 * @returns whether an attachment waits for the verdict on the asset.
 * @throws RindleError `statement_missed` when the asset or a variant has moved on since it was looked at; nothing was changed.
 */
export async function settleBuild(db: Queryable, ctx: Recorder, settlement: BuildSettlement): Promise<boolean> {
  const at = ctx.clock.now()
  const { asset, outcomes } = settlement
  const later = outcomes.flatMap((outcome) => (outcome.result === 'later' ? [outcome.delaySeconds] : []))
  const written = await moves(
    db,
    ctx,
    [
      moved('asset', assetMachine, settlement.path, { set: assetChanges(settlement), where: heldAsset(asset) }),
      also(
        'attachments',
        sql`select m.id from rindle.media_attachments m join "asset" a on a.id = m.asset_id where m.standing <> 'released' and m.due_at is not null limit 1`,
        { expect: null, returns: true },
      ),
      ...variantSteps(at, settlement),
      ...objectSteps(at, settlement),
      moved('run', runMachine, [settlement.run.how], {
        set: {
          error_code: settlement.run.code,
          finished_at: at,
          figures: sql`t.figures || ${JSON.stringify(settlement.run.figures)}::text::jsonb`,
        },
        from: sql`"asset" a`,
        where: sql`t.id = ${settlement.run.id}::uuid and t.asset_id = a.id`,
        expect: null,
      }),
    ],
    { at, jobs: later.length > 0 ? [{ name: 'build_variants', id: asset.id, delaySeconds: Math.min(...later) }] : [] },
  )
  return (written['attachments'] ?? []).length > 0
}

const assetChanges = ({ problem }: BuildSettlement): Readonly<Record<string, unknown>> => ({
  due_at: sql`t.due_at`,
  ...(problem === undefined ? {} : { error_code: problem?.code ?? null, error_detail: problem?.message ?? null }),
})

const variantSteps = (at: Date, { outcomes, outdated }: BuildSettlement): Step[] => {
  const stored = outcomes.filter(({ result }) => result === 'stored')
  const current = stored.filter(({ id }) => !outdated.includes(id))
  const stale = stored.filter(({ id }) => outdated.includes(id))
  const failed = outcomes.filter(({ result }) => result === 'failed')
  const later = outcomes.filter(({ result }) => result === 'later')
  return [
    ...(current.length > 0 ? [storedVariants('finished', ['finish'], current)] : []),
    ...(stale.length > 0 ? [storedVariants('outdated', ['finish', 'outdate'], stale)] : []),
    ...(failed.length > 0
      ? [
          moved('failed', variantMachine, ['fail'], {
            set: { error_code: sql`m.code`, error_detail: sql`m.message` },
            from: sql`"asset" a, ${recordsOf(failed)}`,
            where: stillHeld,
            expect: countOf(failed),
          }),
        ]
      : []),
    ...(later.length > 0
      ? [
          moved('returned', variantMachine, ['give_back'], {
            set: { due_at: sql`${at}::timestamptz + make_interval(secs => m."delaySeconds" + ${wakeUpSeconds}::int)` },
            from: sql`"asset" a, ${recordsOf(later)}`,
            where: stillHeld,
            expect: countOf(later),
          }),
        ]
      : []),
  ]
}

const storedVariants = (as: string, path: readonly ('finish' | 'outdate')[], stored: readonly VariantOutcome[]): Step =>
  moved(as, variantMachine, path, {
    set: {
      ...{
        object_id: sql`m."objectId"`,
        content_type: sql`m."contentType"`,
        byte_size: sql`m."byteSize"`,
        width: sql`m.width`,
        height: sql`m.height`,
      },
      ...{ progress: 100, error_code: null, error_detail: null },
    },
    from: sql`"asset" a, ${recordsOf(stored)}`,
    where: path.length > 1 ? stillHeld : sql`${stillHeld} and t.recipe_digest = decode(m.digest, 'hex')`,
    expect: countOf(stored),
  })

const stillHeld = sql`t.id = m.id and t.asset_id = a.id and t.fence = m.fence`

const recordsOf = (outcomes: readonly VariantOutcome[]) => sql`jsonb_to_recordset(${JSON.stringify(outcomes)}::text::jsonb) as m (
  id uuid, fence int, digest text, "objectId" uuid, etag text, version text, sha256 text, "byteSize" bigint, "contentType" text,
  width int, height int, code text, message text, "delaySeconds" int)`

const countOf = (list: readonly unknown[]) => sql`${list.length}::int`

const objectSteps = (at: Date, { outcomes, abandoned, mayReplace }: BuildSettlement): Step[] => {
  const stored = outcomes.filter(({ result }) => result === 'stored')
  const unused = [...abandoned, ...outcomes.flatMap(({ result, objectId }) => (result !== 'stored' && objectId !== null ? [objectId] : []))]
  return [
    ...(stored.length > 0
      ? [
          moved('confirmed', objectMachine, ['confirm'], {
            set: {
              etag: sql`m.etag`,
              version: sql`m.version`,
              byte_size: sql`m."byteSize"`,
              content_type: sql`m."contentType"`,
              sha256: sql`decode(m.sha256, 'hex')`,
            },
            from: sql`"asset" a, ${recordsOf(stored)}`,
            where: sql`t.id = m."objectId" and t.asset_id = a.id and t.variant_id = m.id and t.fence = m.fence`,
            expect: countOf(stored),
          }),
        ]
      : []),
    ...(stored.length > 0 && mayReplace
      ? [
          moved('replaced', objectMachine, ['doom'], {
            set: doomed(at),
            from: sql`"asset" a, ${recordsOf(stored)}`,
            where: sql`t.variant_id = m.id and t.asset_id = a.id and t.state = 'present' and t.id <> m."objectId"`,
            expect: null,
          }),
        ]
      : []),
    ...(unused.length > 0
      ? [
          moved('unused', objectMachine, ['doom'], {
            set: doomed(at),
            from: sql`"asset" a`,
            where: sql`t.id = any(${unused}::uuid[]) and t.asset_id = a.id and t.state = 'reserved'`,
            expect: null,
          }),
        ]
      : []),
  ]
}

/** Dooms what was reserved for variants that nobody holds any more, and ends the run. What is gone already is left alone. */
export async function abandonBuild(
  db: Queryable,
  ctx: Recorder,
  { assetId, objectIds, runId }: { readonly assetId: string; readonly objectIds: readonly string[]; readonly runId: string },
): Promise<void> {
  const at = ctx.clock.now()
  await moves(
    db,
    ctx,
    [
      also('asset', sql`select a.id, a.id as asset_id from rindle.media_assets a where a.id = ${assetId}::uuid for no key update`, {
        expect: null,
      }),
      moved('unused', objectMachine, ['doom'], {
        set: doomed(at),
        from: sql`"asset" a`,
        where: sql`t.id = any(${objectIds}::uuid[]) and t.asset_id = a.id and t.state = 'reserved'`,
        expect: null,
      }),
      moved('run', runMachine, ['fail'], {
        set: { error_code: 'lease_lost', finished_at: at },
        from: sql`"asset" a`,
        where: sql`t.id = ${runId}::uuid and t.asset_id = a.id`,
        expect: null,
      }),
    ],
    { at, reason: 'lease_lost' },
  )
}
