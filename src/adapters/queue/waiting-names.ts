import type { JobName } from '../../core/jobs.ts'
import type { Queryable } from '../../database/database.ts'
import { executorOf } from '../../database/queryable.ts'
import { queueNames, queueSchema } from './boss.ts'

const namesOfWaiting = `select distinct j.name from ${queueSchema}.job j where j.state < 'active' and j.start_after <= ${queueSchema}.job_now()`

/** The names of the jobs that could be taken now: one look instead of a fetch for each name. */
export const namesOfWaitingJobs = async (db: Queryable): Promise<readonly JobName[]> => {
  const { rows } = await executorOf(db).execute(namesOfWaiting, [])
  const found = new Set(rows.map(({ name }) => name))
  return queueNames.filter((name) => found.has(name))
}
