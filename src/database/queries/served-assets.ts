import { sql } from 'kysely'
import type { AssetState } from '../../core/asset.ts'
import type { ServedAsset, ServedObject } from '../../core/delivery-policy.ts'
import type { Queryable } from '../database.ts'
import { type AssetJson, assetOf, type ObjectJson, type VariantJson, variantOf } from './json-rows.ts'

interface ServedRow {
  readonly asset: AssetJson
  readonly original: ObjectJson | null
  readonly variants: readonly { readonly variant: VariantJson; readonly object: ObjectJson | null }[]
}

/** Assets in any state, each with the objects that could be served of it, in one snapshot. In no order; what has no row is absent. */
export async function listServedAssets(db: Queryable, ids: readonly string[]): Promise<ServedAsset[]> {
  const { rows } = await sql<ServedRow>`
    select to_jsonb(a) as asset, to_jsonb(o) as original,
           (select coalesce(jsonb_agg(jsonb_build_object('variant', to_jsonb(v), 'object', to_jsonb(vo)) order by v.name), '[]')
              from rindle.media_variants v
              left join rindle.media_objects vo on vo.id = v.object_id and vo.state = 'present'
             where v.asset_id = a.id) as variants
      from rindle.media_assets a
      left join rindle.media_objects o on o.id = a.object_id and o.state = 'present'
     where a.id = any(${ids}::uuid[])`.execute(db)
  return rows.map(({ asset, original, variants }) => ({
    asset: assetOf(asset),
    original: original && servedOf(original, asset.content_type),
    variants: variants.map(({ variant, object }) => ({
      variant: variantOf(variant),
      object: object && servedOf(object, variant.content_type),
    })),
  }))
}

/** What the gate measured goes before what was declared when the object was reserved. */
const servedOf = (object: ObjectJson, measuredType: string | null): ServedObject => ({
  id: object.id,
  store: object.store,
  key: object.key,
  contentType: measuredType ?? object.content_type ?? 'application/octet-stream',
  byteSize: object.byte_size,
})

/** What a GET ticket's object is now. `asset` is null below `unmanaged/`. */
export interface TicketedObject {
  readonly byteSize: number | null
  readonly asset: { readonly state: AssetState; readonly profile: string } | null
}

/** @returns null when the object is no longer there to be served. */
export async function findTicketedObject(db: Queryable, id: string): Promise<TicketedObject | null> {
  const { rows } = await sql<{ bytes: string | null; state: AssetState | null; profile: string | null }>`
    select o.byte_size::text as bytes, a.state as state, a.profile as profile
      from rindle.media_objects o
      left join rindle.media_assets a on a.id = o.asset_id
     where o.id = ${id}::uuid and o.state = 'present'`.execute(db)
  const row = rows[0]
  if (!row) return null
  const { bytes, state, profile } = row
  return { byteSize: bytes === null ? null : Number(bytes), asset: state && profile ? { state, profile } : null }
}
