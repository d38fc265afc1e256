import type { Pool } from 'pg'
import { queueSchema } from '../../src/adapters/queue/boss.ts'

/** What a number of lifecycles has left: rows by table, state and filled columns, and history by move. */
export type Rows = Readonly<Record<string, number>>

const perTable = `
  select format('select %L as name, count(*)::int as count from %s
                 union all select concat_ws('' '', %L, to_jsonb(t) ->> ''state'', e.key), count(*)::int from %s t, jsonb_each(to_jsonb(t)) e
                  where e.value <> ''null'' group by 1
                 union all select concat_ws('' '', %L, to_jsonb(t) ->> ''entity'', to_jsonb(t) ->> ''move'', to_jsonb(t) ->> ''from_state'', to_jsonb(t) ->> ''to_state'', to_jsonb(t) ->> ''name''), count(*)::int from %s t
                  group by 1 having %L in (''rindle.state_moves'', ''${queueSchema}.job'')',
                qualified, qualified, qualified, qualified, qualified, qualified, qualified) as query
    from (select 'rindle.' || tablename as qualified from pg_tables where schemaname = 'rindle' and tablename not in ('schema_versions', 'leases')
          union all select '${queueSchema}.job') tables`

/** Counts them. */
export async function countRows(pool: Pool): Promise<Rows> {
  const { rows } = await pool.query(perTable)
  const counted = await pool.query(rows.map(({ query }) => String(query)).join(' union all '))
  return Object.fromEntries(counted.rows.map(({ name, count }) => [String(name), Number(count)]))
}
