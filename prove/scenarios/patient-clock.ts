import type { Carrier, Executor } from '../../src/database/carriers/carrier.ts'
import { createSettableClock, type SettableClock } from '../../src/testing/clock.ts'
import { createStillness } from '../../src/testing/stillness.ts'

/**
 * A settable clock that is moved sooner than that of a test: since it sees when the database is at work, a few milliseconds in which nothing
 * happens are enough to know that time alone is waited for.
 */
export interface PatientClock extends SettableClock {
  /** The carrier, with an eye on whether the database is at work. */
  attended(carrier: Carrier): Carrier
  /** Says that this goes on, and is no waiting for time. */
  working<T>(work: Promise<T>): Promise<T>
}

const quick = { tickMs: 2, knownTicks: 2, unknownTicks: 15 }
/** So far the leases of the scenarios go on without being renewed, and leave time to do so. */
const mostSeconds = 200

export const createPatientClock = (): PatientClock => {
  const clock = createSettableClock()
  const { waiting, working, whenever } = createStillness(quick)
  const executing = (executor: Executor): Executor => {
    const { script } = executor
    return {
      execute: (text, values) => working(executor.execute(text, values)),
      ...(script ? { script: (text: string) => working(script(text)) } : {}),
    }
  }
  return {
    ...clock,
    waiting,
    working,
    attended: (carrier) => ({
      ...carrier,
      ...executing(carrier),
      transaction: (run, lockFirst) => carrier.transaction((executor) => run(executing(executor)), lockFirst),
    }),
    during: (work) =>
      whenever(work, ({ times, isKnown }) => {
        // Further each time: a worker that looks twice a second would take a day for a day.
        const leastSeconds = isKnown ? mostSeconds : Math.min(mostSeconds, 0.1 * 2 ** times)
        const next = clock.nextWakeSeconds()
        if (next !== null || isKnown) clock.advance(Math.max(next ?? 0, leastSeconds))
      }),
  }
}
