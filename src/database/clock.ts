import { setTimeout as timer } from 'node:timers/promises'
import type { Clock, DatabaseClock } from '../core/clock.ts'

/**
 * A clock that goes on by the machine's monotonic clock from whatever it is set to. Until it is set for the first time it starts from the
 * machine's own time.
 */
export function createClock(): Clock {
  let base = performance.timeOrigin
  return {
    now: () => new Date(base + performance.now()),
    monotonicMs: () => performance.now(),
    async sleep(ms, signal) {
      await timer(ms, undefined, signal ? { signal } : {})
    },
    setTo(time) {
      base = time.getTime() - performance.now()
    },
  }
}

/** Sets `clock` to what the database's clock says, half the round trip later. @returns the reading. */
export async function followDatabase(clock: Clock, databaseClock: DatabaseClock): Promise<Date> {
  const asked = clock.monotonicMs()
  const read = await databaseClock.read()
  const time = new Date(read.getTime() + (clock.monotonicMs() - asked) / 2)
  clock.setTo(time)
  return time
}
