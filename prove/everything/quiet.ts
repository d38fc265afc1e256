import { jobNames } from '../../src/core/jobs.ts'
import { type ClockReading, lookSeconds } from '../../src/core/schedule.ts'
import { jobs } from '../../src/doors/worker/jobs.ts'
import { reconcileStorage } from '../../src/flows/ops/reconcile-storage.ts'
import { sweep } from '../../src/flows/ops/sweep.ts'
import type { EngineDatabase } from '../../test/services/engines.ts'
import type { House } from './house.ts'
import type { Machine } from './machine.ts'
import type { FastTime } from './time.ts'

export interface Calm {
  readonly database: EngineDatabase
  readonly time: FastTime
  readonly house: Pick<House, 'landDue' | 'nextLanding'>
  /** One that nothing happens to. */
  readonly machine: Machine
  readonly signal: AbortSignal
}

/** Far more than it ever took. */
const mostRounds = 250
const mostLooks = 40
const jobsAtOnce = 16

/**
 * Lets time move on, from one due date to the next, until no row is owed anything: with one worker that sweeps and works. Returns the rounds
 * that it took; null when it did not come to an end.
 */
export const untilNothingIsDue = async ({ database, time, house, machine, signal }: Calm): Promise<number | null> => {
  const { ctx } = machine
  const holder = 'the last worker'
  let previous: ClockReading | null = null
  const look = async (): Promise<number> => {
    const { reading, due, swept } = await sweep(ctx, { holder, previous })
    previous = reading
    await work(machine)
    return swept ? due : 1
  }
  for (let round = 0; round < mostRounds && !signal.aborted; round += 1) {
    house.landDue()
    for (let looks = 0; looks < mostLooks; looks += 1) {
      if ((await look()) === 0) break
      await time.jump(lookSeconds)
    }
    const next = await nextDue(database)
    const landing = house.nextLanding()
    if (next === null && landing === null) {
      await time.jump(3 * 86_400)
      await look()
      await reconcileStorage(ctx, { holder })
      if ((await nextDue(database)) === null) return round
      continue
    }
    const wait = Math.min(
      next === null ? Infinity : (next - time.now().getTime()) / 1000,
      landing === null ? Infinity : landing - time.seconds(),
    )
    await time.jump(Math.max(lookSeconds, wait, round < 20 ? 0 : 600))
  }
  return null
}

/** Does all the jobs that could be taken now, and those that they enqueue. */
const work = async ({ ctx }: Machine): Promise<void> => {
  for (let more = true; more;) {
    more = false
    for (const name of jobNames) {
      const job = jobs.find((one) => one.name === name)
      const waiting = await ctx.queue.fetch(name, jobsAtOnce)
      if (!job || waiting.length === 0) continue
      more = true
      await Promise.all([...new Set(waiting.map(({ id }) => id))].map((id) => job.run(ctx, id, { signal: new AbortController().signal })))
      await ctx.queue.complete(waiting)
    }
  }
}

const nextDue = async (database: EngineDatabase): Promise<number | null> => {
  const [row] = await database.query(
    `select least((select min(due_at) from rindle.media_assets), (select min(due_at) from rindle.media_variants),
                  (select min(due_at) from rindle.media_objects), (select min(due_at) from rindle.media_attachments),
                  (select min(due_at) from rindle.media_upload_sessions)) as at`,
  )
  return row?.['at'] instanceof Date ? row['at'].getTime() : null
}
