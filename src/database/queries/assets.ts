import { sql } from 'kysely'
import type { Asset, AssetState, Owner } from '../../core/asset.ts'
import { isId } from '../../core/ids.ts'
import type { Variant } from '../../core/variant.ts'
import type { Queryable } from '../database.ts'
import { type AssetJson, assetOf, type VariantJson, variantOf } from './json-rows.ts'

/** @returns null when there is none, or when it is being purged. */
export async function findAsset(db: Queryable, id: string): Promise<Asset | null> {
  if (!isId(id)) return null
  const { rows } = await sql<{ asset: AssetJson }>`
    select to_jsonb(a) as asset
      from rindle.media_assets a
     where a.id = ${id}::uuid and a.state <> 'deleted'`.execute(db)
  return rows[0] ? assetOf(rows[0].asset) : null
}

interface AssetFilter {
  readonly owner: Owner | null
  readonly profile: string | null
  readonly states: readonly AssetState[] | null
  /** The id that the former page ended with. */
  readonly before: string | null
  readonly limit: number
}

/** Newest first. Assets that are being purged are not among them. */
export async function listAssets(db: Queryable, filter: AssetFilter): Promise<Asset[]> {
  const { owner } = filter
  const { rows } = await sql<{ asset: AssetJson }>`
    select to_jsonb(a) as asset
      from rindle.media_assets a
     where a.state <> 'deleted'
       and (${owner?.type ?? null}::text is null or (a.owner_type = ${owner?.type ?? null}::text and a.owner_id = ${owner?.id ?? null}::text))
       and (${filter.profile}::text is null or a.profile = ${filter.profile}::text)
       and (${filter.states}::text[] is null or a.state = any(${filter.states}::text[]))
       and (${filter.before}::uuid is null or a.id < ${filter.before}::uuid)
     order by a.id desc
     limit ${filter.limit}::int`.execute(db)
  return rows.map(({ asset }) => assetOf(asset))
}

/** An asset in any state with its variants, in one snapshot; null when there is no row. */
export async function findAssetWithVariants(
  db: Queryable,
  id: string,
): Promise<{ readonly asset: Asset; readonly variants: readonly Variant[] } | null> {
  if (!isId(id)) return null
  const { rows } = await sql<{ asset: AssetJson; variants: VariantJson[] }>`
    select to_jsonb(a) as asset,
           (select coalesce(jsonb_agg(to_jsonb(v) order by v.name), '[]') from rindle.media_variants v where v.asset_id = a.id) as variants
      from rindle.media_assets a
     where a.id = ${id}::uuid`.execute(db)
  const row = rows[0]
  return row ? { asset: assetOf(row.asset), variants: row.variants.map(variantOf) } : null
}

/** Prolongs the lease of whoever holds `fence`. @returns false when another took over. */
export async function renewAssetLease(
  db: Queryable,
  lease: { readonly assetId: string; readonly fence: number; readonly until: Date },
): Promise<boolean> {
  const { rows } = await sql<{ id: string }>`
    update rindle.media_assets
       set due_at = ${lease.until}::timestamptz
     where id = ${lease.assetId}::uuid and fence = ${lease.fence}::int and state = 'analyzing'
    returning id`.execute(db)
  return rows.length === 1
}

/** True while an attachment waits for the gate's verdict on the asset. */
export async function attachmentsWait(db: Queryable, assetId: string): Promise<boolean> {
  const { rows } = await sql<{ wait: boolean }>`
    select exists (
      select from rindle.media_attachments
       where asset_id = ${assetId}::uuid and standing <> 'released' and due_at is not null) as wait`.execute(db)
  return rows[0]?.wait === true
}
