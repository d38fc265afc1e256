import { isRindleError } from '../../src/core/errors.ts'
import { lookSeconds } from '../../src/core/schedule.ts'
import { listOwedRows } from '../../src/database/queries/owed-rows.ts'
import { createTestWorker } from '../../src/testing/test-worker.ts'
import { type DatedRow, listDated, spokenRows } from '../judge/dates.ts'
import { told } from '../told.ts'
import type { World } from './scenario.ts'
import type { Testbed } from './testbed.ts'
import type { Playing } from './playing.ts'

/** What was sent and is on its way still lands when so much time is let pass. */
const lateSeconds = 600
/** So many looks until the workers must have nothing to do now. */
const mostSettling = 60
/** So often a clock is ahead in one scenario, at most. */
const mostPuttingOff = 4
/** What was doomed for later may wait; what is tried again after a fault is waited for, up to the longest backoff. */
const soonSeconds = 120
const backoffSeconds = 3_700
/** So many until nothing has a date any more: the longest backoff, all leases and days of keeping are in it. */
const mostQuiescing = 250
const longestIdleSeconds = 600
const rowsLookedAt = 100

/** How time passes in a world: with a worker that looks at what is due, and beyond the end of a scenario until nothing is left. */
export interface PassingTime extends Pick<World, 'settle' | 'pass'> {
  /** Lets time go on to whatever is due, until nothing is due any more. */
  quiesce(): Promise<void>
  /** Does what a worker does once a day: holds what storage lists against the rows. */
  reconcile(): Promise<void>
}

export const createPassingTime = (testbed: Testbed, { label, undisturbed, breach }: Playing): PassingTime => {
  const { rindle, clock } = testbed
  const worker = createTestWorker(rindle, clock, { holder: label, decoders: 2 })
  const trying = async (run: () => Promise<unknown>): Promise<void> => {
    try {
      await run()
    } catch (err) {
      if (!isRindleError(err) || undisturbed) breach(`a worker was stopped by ${told(err)}`)
    }
  }
  /** What a client sent lands within a day of its ticket's end, so before much time is let pass. */
  const pass = async (seconds: number): Promise<void> => {
    if (seconds > lateSeconds) await testbed.landLate()
    await trying(() => worker.pass(seconds))
  }
  /** One look alone, when so much time has passed. */
  const lookAfter = async (seconds: number): Promise<void> => {
    if (seconds > lateSeconds) await testbed.landLate()
    clock.advance(Math.max(0, seconds - lookSeconds))
    await trying(() => worker.pass(lookSeconds))
  }
  const now = async (): Promise<Date> => clock.database.read()
  /** Goes on to what is due first; further, where looks bring nothing about. @returns what is left after so many looks. */
  const until = async (most: number, list: (at: Date) => Promise<readonly DatedRow[]>): Promise<readonly DatedRow[]> => {
    let [idle, before] = [0, '']
    for (let looks = 0; ; looks += 1) {
      const at = await now()
      const left = await list(at)
      const [first] = left
      if (!first || looks >= most) return left
      const same = left.map(({ entity, id, state }) => `${entity} ${id} ${state}`).join()
      idle = same === before ? idle + 1 : 0
      before = same
      const seconds = (first.dueAt.getTime() - at.getTime()) / 1000
      await lookAfter(Math.max(seconds + 0.1, Math.min(longestIdleSeconds, lookSeconds * 2 ** idle)))
    }
  }
  /** Work that a clock which was ahead has put off: two looks tell that clocks went apart, and bring it forward. */
  const isPutOff = async (): Promise<boolean> => {
    const at = await now()
    const owed = await listOwedRows(testbed.rows, { at, limit: rowsLookedAt })
    const isWork = ({ entity, state }: DatedRow): boolean => entity === 'variant' || state === 'validating' || state === 'analyzing'
    return owed.some((row) => isWork(row) && row.dueAt.getTime() - at.getTime() >= backoffSeconds * 1000)
  }
  const owedSoon = async (at: Date): Promise<readonly DatedRow[]> =>
    (await listOwedRows(testbed.rows, { at, limit: rowsLookedAt })).filter(({ entity, dueAt }) => {
      const waits = entity === 'object' ? soonSeconds : backoffSeconds
      return entity !== 'upload_session' && dueAt.getTime() - at.getTime() < waits * 1000
    })
  const quiesce = async (): Promise<void> => {
    await testbed.landLate()
    const left = await until(mostQuiescing, () => listDated(testbed.query))
    if (left.length > 0) breach(`after ${mostQuiescing} looks of a worker something is still owed: ${spokenRows(left)}`)
  }
  return {
    pass,
    quiesce,
    async settle() {
      await trying(() => worker.work())
      for (let times = 0; times === 0 || (times < mostPuttingOff && (await isPutOff())); times += 1) {
        if (!undisturbed) await pass(2 * lookSeconds)
        const left = await until(mostSettling, owedSoon)
        if (left.length > 0) return breach(`after ${mostSettling} looks of a worker it is still at work: ${spokenRows(left)}`)
      }
    },
    async reconcile() {
      await lookAfter(2 * 86_400)
      await worker.reconcile()
      await quiesce()
    },
  }
}
