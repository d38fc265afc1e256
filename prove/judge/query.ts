import { openDatabase } from '../../src/database/open.ts'
import { executorOf } from '../../src/database/queryable.ts'
import type { Queryable } from '../../src/database/database.ts'
import type { EngineDatabase } from '../../test/services/engines.ts'
import type { Query } from '../judge.ts'

/** Rows as they are, over connections of its own that nothing breaks; a question that is asked again is prepared. */
export const openQuery = ({
  given,
}: Pick<EngineDatabase, 'given'>): { readonly query: Query; readonly rows: Queryable; close(): Promise<void> } => {
  const { pool, close } = openDatabase(given)
  return { rows: pool, query: async (text, values = []) => [...(await executorOf(pool).execute(text, values)).rows], close }
}
