import type { RindleContext } from '../../context.ts'
import { jobCatalog, type JobName, jobNames } from '../../core/jobs.ts'
import type { QueuedJob } from '../../core/ports/queue.ts'

/** One kind of job, as data: what is called with the id that it names. */
export interface JobRecord {
  readonly name: JobName
  run(ctx: RindleContext, id: string, options: { readonly signal: AbortSignal }): Promise<unknown>
}

/** Places that several kinds of job have in common. */
type Shared = Exclude<(typeof jobCatalog)[JobName]['concurrency'], number>

export interface JobRunner {
  /** Says that there may be jobs of these names. */
  wake(names: readonly JobName[]): void
  /** Ends what is done and takes what there is room for. @returns false when nothing is known to be waiting. */
  turn(): Promise<boolean>
  /** Takes no jobs from here on. */
  close(): void
  /** Resolves when no job runs any more. */
  drained(): Promise<void>
  /** How many jobs of each name run now. */
  running(): Readonly<Record<string, number>>
  /** How long the job that was taken last had waited; 0 when none was waiting at the last look. */
  lagMs(): number
}

/**
 * Fetches jobs from the queue and runs them, so many of each at a time. A job never fails: what it throws is logged, its queue job ends,
 * and the row that it was about says what is still owed.
 */
export function createJobRunner(
  ctx: RindleContext,
  {
    table,
    places,
    signal,
    changed,
  }: {
    readonly table: readonly JobRecord[]
    readonly places: Readonly<Record<Shared, number>>
    readonly signal: AbortSignal
    changed(): void
  },
): JobRunner {
  const waiting = new Set<JobName>(jobNames)
  const running = new Map<JobName, number>(jobNames.map((name) => [name, 0]))
  const ended: QueuedJob[] = []
  let lagMs = 0
  let open = true
  let turns = 0
  const awaitingEnd: (() => void)[] = []

  const count = (name: JobName): number => running.get(name) ?? 0
  const total = (): number => jobNames.reduce((sum, name) => sum + count(name), 0)

  const room = (name: JobName): number => {
    const { concurrency } = jobCatalog[name]
    if (typeof concurrency === 'number') return concurrency - count(name)
    const sharing = jobNames.filter((other) => jobCatalog[other].concurrency === concurrency)
    return places[concurrency] - sharing.reduce((sum, other) => sum + count(other), 0)
  }

  const run = async (job: QueuedJob, record: JobRecord): Promise<void> => {
    running.set(job.name, count(job.name) + 1)
    try {
      await record.run(ctx, job.id, { signal })
    } catch (err) {
      if (!signal.aborted)
        ctx.logger.error({ event: 'job_failed', job: job.name, id: job.id, err }, 'A job failed; its row says what is still owed.')
    } finally {
      running.set(job.name, count(job.name) - 1)
      ended.push(job)
      if (total() === 0) for (const tell of awaitingEnd.splice(0)) tell()
      changed()
    }
  }

  const take = async (record: JobRecord): Promise<void> => {
    const free = room(record.name)
    if (free <= 0) return
    waiting.delete(record.name)
    const jobs = await ctx.queue.fetch(record.name, free).catch((err: unknown) => {
      waiting.add(record.name)
      throw err
    })
    if (jobs.length === free) waiting.add(record.name)
    lagMs = Math.max(lagMs, ...jobs.map(({ since }) => ctx.clock.now().getTime() - since.getTime()))
    const ids = new Set<string>()
    for (const job of jobs) {
      if (ids.has(job.id)) ended.push(job)
      else void run(job, record)
      ids.add(job.id)
    }
  }

  return {
    wake(names) {
      for (const name of names) waiting.add(name)
    },
    async turn() {
      const finished = ended.splice(0)
      if (finished.length > 0) {
        await ctx.queue.complete(finished).catch((err: unknown) => {
          ended.push(...finished)
          throw err
        })
      }
      lagMs = 0
      turns += 1
      for (const record of rotated(table, turns)) if (open && waiting.has(record.name)) await take(record)
      return ended.length > 0 || (open && table.some(({ name }) => waiting.has(name) && room(name) > 0))
    },
    close() {
      open = false
    },
    drained: () =>
      new Promise((resolve) => {
        if (total() === 0) resolve()
        else awaitingEnd.push(resolve)
      }),
    running: () => Object.fromEntries(running),
    lagMs: () => lagMs,
  }
}

/** Every kind of job comes first in its turn, so that none that shares its room with another waits for ever. */
const rotated = <T>(list: readonly T[], by: number): readonly T[] => {
  const start = by % list.length
  return [...list.slice(start), ...list.slice(0, start)]
}
