import type { EngineDatabase } from '../../test/services/engines.ts'

/** All that is known of an asset, for whoever has to find out what went wrong. */
export const storyOf = async (database: Pick<EngineDatabase, 'query'>, about: string): Promise<string> => {
  const asset = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/.exec(about)?.[0]
  if (!asset) return about
  const [found] = await database.query(
    `select id from rindle.media_assets where id = $1
     union select asset_id from rindle.media_upload_sessions where id = $1
     union select asset_id from rindle.state_moves where entity_id = $1`,
    [asset],
  )
  const id = String(found?.['id'] ?? asset)
  const lines: string[] = [`  story of asset ${id}`]
  const tell = async (title: string, text: string): Promise<void> => {
    for (const { line } of await database.query(text, [id])) lines.push(`    ${title} ${String(line)}`)
  }
  const rest = `array_to_string(array[extract(epoch from at - timestamptz '2026-01-01 12:00Z')::numeric(12, 1)::text || ' s', entity, right(entity_id::text, 6),
    move, from_state, '→', to_state, reason, 'xid ' || xid::text], ' ')`
  await tell('moved', `select ${rest} as line from rindle.state_moves where asset_id = $1 order by xid, seq`)
  await tell('row', `select to_jsonb(a)::text as line from rindle.media_assets a where id = $1`)
  await tell('session', `select to_jsonb(s)::text as line from rindle.media_upload_sessions s where asset_id = $1`)
  await tell('variant', `select to_jsonb(v)::text as line from rindle.media_variants v where asset_id = $1`)
  await tell('object', `select to_jsonb(o)::text as line from rindle.media_objects o where asset_id = $1 order by id`)
  await tell('attachment', `select to_jsonb(t)::text as line from rindle.media_attachments t where asset_id = $1`)
  await tell('run', `select to_jsonb(r)::text as line from rindle.media_processing_runs r where asset_id = $1 order by id`)
  return lines.join('\n')
}
