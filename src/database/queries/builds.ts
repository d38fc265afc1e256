import { sql } from 'kysely'
import { type Asset, assetMachine } from '../../core/asset.ts'
import { objectMachine } from '../../core/object.ts'
import type { PastRun } from '../../core/trouble.ts'
import { runMachine } from '../../core/run.ts'
import type { BuildJob } from '../../core/variant-plan.ts'
import { type OutputKind, variantMachine, type VariantState } from '../../core/variant.ts'
import type { Queryable } from '../database.ts'
import { born, moved } from '../move.ts'
import { moves, type Recorder } from '../statement.ts'
import { heldAsset } from './build-settlement.ts'
import { lapsedVariantObjects } from './doomed.ts'
import type { StoredObject } from './gate-claim.ts'
import { type AssetJson, assetOf } from './json-rows.ts'
import type { VariantHold } from './variants.ts'

/** A variant as a build looks at it. */
export interface BuildVariant extends VariantHold {
  readonly name: string
  readonly state: VariantState
  readonly outputKind: OutputKind
  readonly job: BuildJob
  /** Lower-case hex of what is wanted. */
  readonly digest: string
  readonly isDue: boolean
  readonly past: readonly PastRun[]
}

export interface BuildLook {
  readonly asset: Asset
  /** The original that is served. */
  readonly original: StoredObject | null
  readonly variants: readonly BuildVariant[]
}

/** An asset with what is to be built from it, in one snapshot; null when there is no row. */
export async function findBuild(db: Queryable, assetId: string, at: Date): Promise<BuildLook | null> {
  const { rows } = await sql<{ asset: AssetJson; original: StoredObject | null; variants: BuildVariant[] }>`
    select to_jsonb(a) as asset,
           (select jsonb_build_object('id', o.id, 'role', o.role, 'store', o.store, 'key', o.key, 'etag', o.etag, 'version', o.version,
                                      'byteSize', o.byte_size)
              from rindle.media_objects o where o.id = a.object_id and o.state = 'present') as original,
           (select coalesce(jsonb_agg(jsonb_build_object(
                     'id', v.id, 'name', v.name, 'state', v.state, 'fence', v.fence, 'outputKind', v.output_kind, 'job', v.job,
                     'digest', encode(v.recipe_digest, 'hex'), 'isDue', v.due_at <= ${at}::timestamptz,
                     'past', (select coalesce(jsonb_agg(jsonb_build_object('state', r.state, 'errorCode', r.error_code) order by r.started_at desc, r.id desc), '[]')
                                from rindle.media_processing_runs r
                               where r.asset_id = a.id and v.name = any(r.variant_names))) order by v.id), '[]')
              from rindle.media_variants v where v.asset_id = a.id) as variants
      from rindle.media_assets a
     where a.id = ${assetId}::uuid`.execute(db)
  const row = rows[0]
  return row ? { asset: assetOf(row.asset), original: row.original, variants: row.variants } : null
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
  readonly job: BuildJob
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
      lapsedVariantObjects(at),
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

const runRow = ({ look, job, runId, worker }: BuildBid, names: readonly string[]) => ({
  id: runId,
  asset_id: look.asset.id,
  job,
  worker,
  variant_names: names,
  fence: 0,
})
