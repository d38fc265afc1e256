import type { Lost } from './child.ts'

/** Said to people in the message of `worker_lost`, so not to be taken from where the library counts. */
const timesInARow = 5

type Query = (text: string, values: readonly unknown[]) => Promise<readonly Record<string, unknown>[]>

/** Those of the files, or of all, of which the app says that workers were lost over them, with who lost a lease over each. */
export const lostOf = async (query: Query, ids: readonly string[] | null): Promise<readonly Lost[]> => {
  const rows = await query(lost, [ids])
  return rows.map(({ id, workers }) => ({ id: String(id), workers: Array.isArray(workers) ? workers.map(String) : [] }))
}

/** Whether it is true: so many of those who worked on it did die. That it was not the file's fault nobody could know. */
export const isTrulyLost = ({ workers }: Lost, dead: ReadonlySet<number>): boolean =>
  workers.filter((worker) => dead.has(Number(worker.slice(worker.lastIndexOf(':') + 1)))).length >= timesInARow

const lost = `
  select a.id, array(select r.worker from rindle.media_processing_runs r
                      where r.asset_id = a.id and (r.error_code = 'lease_lost' or r.state = 'processing')) as workers
    from rindle.media_assets a
   where ($1::uuid[] is null or a.id = any($1::uuid[]))
     and (a.error_code = 'worker_lost' or exists (select from rindle.media_variants v where v.asset_id = a.id and v.error_code = 'worker_lost'))`
