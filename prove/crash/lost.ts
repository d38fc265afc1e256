import type { Lost } from './child.ts'

/** Said to people in the message of `worker_lost`, so not to be taken from where the library counts. */
const timesInARow = 5

type Query = (text: string, values: readonly unknown[]) => Promise<readonly Record<string, unknown>[]>

/** Those of the files, or of all, of which the app says that workers were lost over them, with each time that one lost its lease over it. */
export const lostOf = async (query: Query, ids: readonly string[] | null): Promise<readonly Lost[]> => {
  const rows = await query(lost, [ids])
  return rows.map(({ id, runs }) => ({ id: String(id), runs: Array.isArray(runs) ? runs : [] }))
}

/** What could have taken the leases of those who worked on a file. */
export interface Blows {
  /** Processes that died. */
  readonly dead: ReadonlySet<number>
  /** When the server of the database died, in milliseconds of the app's time: nobody who was at work then could say so. */
  readonly outages: readonly number[]
}

/** Whether it is true: so many of those who worked on it died, or their database did. That it was not the file's fault nobody could know. */
export const isTrulyLost = ({ runs }: Lost, { dead, outages }: Blows): boolean =>
  runs.filter(({ worker, from, until }) => dead.has(pidOf(worker)) || outages.some((at) => at > from && at < (until ?? Infinity))).length >=
  timesInARow

export const pidOf = (worker: string): number => Number(worker.slice(worker.lastIndexOf(':') + 1))

const lost = `
  select a.id, (select coalesce(jsonb_agg(jsonb_build_object('worker', r.worker, 'from', extract(epoch from r.started_at) * 1000,
                                                             'until', extract(epoch from r.finished_at) * 1000)), '[]')
                  from rindle.media_processing_runs r
                 where r.asset_id = a.id and (r.error_code = 'lease_lost' or r.state = 'processing')) as runs
    from rindle.media_assets a
   where ($1::uuid[] is null or a.id = any($1::uuid[]))
     and (a.error_code = 'worker_lost' or exists (select from rindle.media_variants v where v.asset_id = a.id and v.error_code = 'worker_lost'))`
