import type { EngineDatabase } from '../test/services/engines.ts'

/** Reads every row of every table below the given schemas, as text that can be compared and searched. */
export const rowReader = async (database: Pick<EngineDatabase, 'query'>, schemas: readonly string[]): Promise<() => Promise<string>> => {
  const tables = await database.query(
    `select n.nspname as schema, c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname = any($1::text[]) and c.relkind = 'r' order by 1, 2`,
    [schemas],
  )
  const each = tables.map(({ schema, name }) => {
    const [place, table] = [String(schema), String(name)]
    return `select '${place}.${table}' as name, to_jsonb(t)::text as row from "${place}"."${table}" t`
  })
  const everyRow = `${each.join(' union all ')} order by 1, 2`
  return async () => {
    const rows = await database.query(everyRow)
    return rows.map(({ name, row }) => `${String(name)} ${String(row)}`).join('\n')
  }
}
