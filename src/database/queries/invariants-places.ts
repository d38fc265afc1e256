import { sql } from 'kysely'
import type { InvariantEntity } from '../../core/invariants.ts'
import type { Queryable } from '../database.ts'

/** Where something is that a finding is about. */
export interface Place {
  readonly assetId: string | null
  readonly object: { readonly store: string; readonly key: string } | null
}

interface Named {
  readonly entity: InvariantEntity
  readonly id: string
}

/** The asset that each belongs to and the object that it is or points at, in their order; of rows that are gone what the history tells. */
export async function listPlaces(db: Queryable, named: readonly Named[]): Promise<readonly Place[]> {
  if (named.length === 0) return []
  const { rows } = await sql<{ assetId: string | null; store: string | null; key: string | null }>`
    with named as (
      select * from unnest(${named.map(({ entity }) => entity)}::text[], ${named.map(({ id }) => id)}::uuid[])
        with ordinality as n (entity, id, place)),
    pointed as (
      select n.*, coalesce(a.id, v.asset_id, s.asset_id, t.asset_id, r.asset_id) as asset_id,
             case when n.entity = 'object' then n.id else coalesce(a.object_id, v.object_id, s.object_id) end as object_id
        from named n
        left join rindle.media_assets a on n.entity = 'asset' and a.id = n.id
        left join rindle.media_variants v on n.entity = 'variant' and v.id = n.id
        left join rindle.media_upload_sessions s on n.entity = 'upload_session' and s.id = n.id
        left join rindle.media_attachments t on n.entity = 'attachment' and t.id = n.id
        left join rindle.media_processing_runs r on n.entity = 'run' and r.id = n.id),
    found as (
      select p.place, p.id, coalesce(p.asset_id, o.asset_id) as asset_id, o.store, o.key
        from pointed p
        left join rindle.media_objects o on o.id = p.object_id),
    told as (
      select distinct on (m.entity_id) m.entity_id, m.asset_id
        from rindle.state_moves m
       where m.asset_id is not null and m.entity_id = any(array(select f.id from found f where f.asset_id is null))
         and exists (select from found f where f.asset_id is null))
    select coalesce(f.asset_id, t.asset_id) as "assetId", f.store, f.key
      from found f
      left join told t on f.asset_id is null and t.entity_id = f.id
     order by f.place`.execute(db)
  return rows.map(({ assetId, store, key }) => ({ assetId, object: store === null || key === null ? null : { store, key } }))
}
