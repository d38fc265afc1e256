import { setTimeout as pause } from 'node:timers/promises'
import type { Carrier, Executor } from '../../src/database/carriers/carrier.ts'
import type { SettableClock } from '../../src/testing/clock.ts'
import type { FaultClock } from '../../src/testing/faults.ts'

/** Sees to it that what waits for time alone is not waited for in real time. */
export interface Patience {
  /** The carrier, with an eye on whether the database is at work. */
  attended(carrier: Carrier): Carrier
  /** What slow and hanging calls wait by. */
  readonly clock: FaultClock
  /** Waits for `work`; lets time go on whenever that is all that it can be waiting for. */
  during<T>(work: Promise<T>): Promise<T>
}

const tickMs = 2
/** So many looks in a row at which the database rests, and a call is known to wait for time. */
const knownTicks = 2
/** The same where nobody said so: a file is written, perhaps. */
const unknownTicks = 15
/** So far the leases of the scenarios go on without being renewed, and leave time to do so. */
const mostSeconds = 200

export const createPatience = (clock: SettableClock): Patience => {
  let [running, begun, waits] = [0, 0, 0]
  const attend = async <T>(work: () => Promise<T>): Promise<T> => {
    running += 1
    begun += 1
    try {
      return await work()
    } finally {
      running -= 1
      begun += 1
    }
  }
  const executing = (executor: Executor): Executor => {
    const { script } = executor
    return {
      execute: (text, values) => attend(() => executor.execute(text, values)),
      ...(script ? { script: (text: string) => attend(() => script(text)) } : {}),
    }
  }
  /** Further each time: a worker that looks twice a second would take a day for a day. */
  const letGo = (times: number): void => {
    const next = clock.nextWakeSeconds()
    const leastSeconds = waits > 0 ? mostSeconds : Math.min(mostSeconds, 0.1 * 2 ** times)
    if (next !== null || waits > 0) clock.advance(Math.max(next ?? 0, leastSeconds))
  }

  return {
    attended: (carrier) => ({
      ...carrier,
      ...executing(carrier),
      transaction: (run, lockFirst) => carrier.transaction((executor) => run(executing(executor)), lockFirst),
    }),
    clock: {
      sleep: (ms, signal) => clock.sleep(ms, signal),
      async waiting(wait) {
        waits += 1
        try {
          return await wait
        } finally {
          waits -= 1
        }
      },
    },
    async during(work) {
      let isOver = false
      const done = work.then(
        () => void (isOver = true),
        () => void (isOver = true),
      )
      let [quiet, seen, times] = [0, begun, 0]
      while (!isOver) {
        const ender = new AbortController()
        await Promise.race([done, pause(tickMs, undefined, { signal: ender.signal }).catch(() => undefined)])
        ender.abort()
        quiet = running === 0 && begun === seen ? quiet + 1 : 0
        seen = begun
        if (isOver || quiet < (waits > 0 ? knownTicks : unknownTicks)) continue
        letGo(times)
        times += 1
        quiet = 0
      }
      return work
    },
  }
}
