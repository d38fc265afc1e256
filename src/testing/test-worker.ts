import type { RindleContext } from '../context.ts'
import { type AnyRindle, openedContextOf } from '../context.ts'
import { type JobName, jobNames } from '../core/jobs.ts'
import { type ClockReading, lookSeconds } from '../core/schedule.ts'
import { createJobRunner } from '../doors/worker/job-runner.ts'
import { jobs } from '../doors/worker/jobs.ts'
import { sweep } from '../flows/ops/sweep.ts'
import type { SettableClock } from './clock.ts'

/** A worker that works when it is told to, in time that a test moves. */
export interface TestWorker {
  /** Does the jobs that wait now, and those that they enqueue. @returns the names of those that were done, in order. */
  work(): Promise<readonly JobName[]>
  /** Lets so much time pass, and sweeps and works meanwhile as a worker does. @returns the names of the jobs that were done, in order. */
  pass(seconds: number): Promise<readonly JobName[]>
}

/** The fewest looks that `pass` takes, however long it is. */
const looksAtLeast = 4

/** The Rindle must have been made with the same clock, for itself and for its database. */
export const createTestWorker = (rindle: AnyRindle, clock: SettableClock): TestWorker => {
  const done: JobName[] = []
  const table = jobs.map((record) => ({
    name: record.name,
    run: (ctx: RindleContext, id: string, options: { readonly signal: AbortSignal }) => {
      done.push(record.name)
      return record.run(ctx, id, options)
    },
  }))
  const aborter = new AbortController()
  let previous: ClockReading | null = null

  const work: TestWorker['work'] = async () => {
    const ctx = await openedContextOf(rindle)
    const runner = createJobRunner(ctx, { table, decoders: 1, signal: aborter.signal, changed: () => undefined })
    const before = done.length
    for (let doneUntil = -1; doneUntil < done.length;) {
      doneUntil = done.length
      runner.wake(jobNames)
      while (await runner.turn()) await runner.drained()
      await runner.drained()
      await runner.turn()
    }
    return done.slice(before)
  }
  return {
    work,
    async pass(seconds) {
      const ctx = await openedContextOf(rindle)
      const before = done.length
      const step = Math.max(lookSeconds, seconds / looksAtLeast)
      for (let left = seconds; left > 0; left -= step) {
        clock.advance(Math.min(step, left))
        previous = (await sweep(ctx, { holder: 'test', previous })).reading
        await work()
      }
      return done.slice(before)
    },
  }
}
