import type { Queryable } from '../../src/database/database.ts'
import { type GivenDatabase, openDatabase } from '../../src/database/open.ts'
import { executorOf } from '../../src/database/queryable.ts'
import type { Query } from './witness-options.ts'

/** Rows as they are, over connections of its own that nothing breaks; a question that is asked again is prepared. */
export interface Observer {
  readonly query: Query
  readonly rows: Queryable
  close(): Promise<void>
}

export const openObserver = (given: GivenDatabase): Observer => {
  const { pool, close } = openDatabase(given)
  return { rows: pool, query: async (text, values = []) => [...(await executorOf(pool).execute(text, values)).rows], close }
}
