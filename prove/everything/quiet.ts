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
  /** Looks at what always holds, after every round. */
  watch(): Promise<void>
  readonly breach: (text: string) => void
}

/** Far more than it ever took. */
const mostRounds = 250
const mostLooks = 40
const jobsAtOnce = 16

/** One worker that sweeps and works, round by round: until nothing is due for now, and then until something is again. */
const rounds = ({ database, time, house, machine, watch }: Calm) => {
  const { ctx } = machine
  const holder = 'the last worker'
  let previous: ClockReading | null = null
  const look = async (): Promise<number> => {
    const { reading, due, swept } = await sweep(ctx, { holder, previous })
    previous = reading
    await work(machine)
    return swept ? due : 1
  }
  return {
    holder,
    look,
    async settle(): Promise<void> {
      house.landDue()
      await watch()
      for (let looks = 0; looks < mostLooks && (await look()) > 0; looks += 1) await time.jump(lookSeconds)
      await watch()
    },
    /** Moves time on to what is due next. @returns false when nothing is. */
    async moveOn(atLeast: number): Promise<boolean> {
      const next = await nextDue(database)
      const landing = house.nextLanding()
      if (next === null && landing === null) return false
      const wait = Math.min(
        next === null ? Infinity : (next - time.now().getTime()) / 1000,
        landing === null ? Infinity : landing - time.seconds(),
      )
      await time.jump(Math.max(lookSeconds, wait, atLeast))
      return true
    },
  }
}

/** Lets time move on until `isSo`. @returns the rounds that it took; null when it never was. */
export const roundsUntil = async (calm: Calm, most: number, isSo: () => Promise<boolean>): Promise<number | null> => {
  const { settle, moveOn } = rounds(calm)
  for (let round = 0; round < most && !calm.signal.aborted; round += 1) {
    await settle()
    if (await isSo()) return round
    await moveOn(0)
  }
  return null
}

/**
 * Lets time move on, from one due date to the next, until no row is owed anything: with one worker that sweeps and works. Returns the rounds
 * that it took; null when it did not come to an end.
 */
export const untilNothingIsDue = async (calm: Calm): Promise<number | null> => {
  const { settle, moveOn, look, holder } = rounds(calm)
  for (let round = 0; round < mostRounds && !calm.signal.aborted; round += 1) {
    await settle()
    if (await moveOn(round < 20 ? 0 : 600)) continue
    await calm.time.jump(3 * 86_400)
    await look()
    const { stores } = await reconcileStorage(calm.machine.ctx, { holder })
    for (const { store, deleted, unknown } of stores)
      if (deleted + unknown > 0) calm.breach(`${store} held ${deleted + unknown} objects that no row knew`)
    if ((await nextDue(calm.database)) === null) return round
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
