import type { EngineDatabase } from '../../test/services/engines.ts'

/** Ids, times, places and what differs by the way in; of times it matters whether there is one. */
const asideOfAll = [
  'id',
  'asset_id',
  'object_id',
  'variant_id',
  'session_id',
  'inserted_at',
  'state_changed_at',
  'started_at',
  'finished_at',
]
const aside = {
  media_assets: ['profile', 'due_at', 'passed_at'],
  media_variants: ['due_at'],
  media_objects: ['store', 'key', 'etag', 'version', 'upload_id', 'due_at', 'watch_until'],
  media_processing_runs: ['worker', 'figures'],
  media_attachments: [],
} as const

const told = (table: keyof typeof aside, alias: string): string => {
  const without = [...asideOfAll, ...aside[table]].map((name) => `'${name}'`).join(', ')
  return `(to_jsonb(${alias}) - array[${without}])::text`
}

const rows = `
  select 1 as part, ${told('media_assets', 'a')} || (a.due_at is null) || (a.passed_at is null) || (a.object_id is null) as line, 0 as place
    from rindle.media_assets a where a.id = $1
  union all
  select 2, ${told('media_variants', 'v')} || (v.due_at is null) || (v.object_id is null), 0
    from rindle.media_variants v where v.asset_id = $1
  union all
  select 3, ${told('media_objects', 'o')} || (o.id = (select object_id from rindle.media_assets where id = $1)), 0
    from rindle.media_objects o where o.asset_id = $1 and o.role <> 'staging' and o.state = 'present'
  union all
  select 4, ${told('media_processing_runs', 'r')}, r.attempt from rindle.media_processing_runs r where r.asset_id = $1
  union all
  select 5, m.entity || ' ' || m.move || ' ' || m.to_state || coalesce(' ' || m.reason, ''), m.seq::int
    from rindle.state_moves m where m.asset_id = $1 and m.entity in ('asset', 'variant', 'run')
  order by 1, 3, 2`

/** All that the database tells of an asset, but for what has to differ. */
export const rowsOf = async (database: EngineDatabase, assetId: string): Promise<string[]> =>
  (await database.query(rows, [assetId])).map(({ line }) => String(line))
