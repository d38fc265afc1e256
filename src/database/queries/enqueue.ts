import { sql } from 'kysely'
import type { JobRequest } from '../../core/ports/queue.ts'
import type { Queryable } from '../database.ts'
import { also } from '../move.ts'
import { moves, type Recorder } from '../statement.ts'

/** Wakes a worker without a move. What is owed must be on a row already. */
export async function enqueue(db: Queryable, ctx: Recorder, jobs: readonly JobRequest[]): Promise<void> {
  await moves(db, ctx, [also('nothing', sql`select 1 as id`, { expect: 1 })], { jobs })
}
