import type { Clock, DatabaseClock } from '../core/clock.ts'

interface Sleeper {
  readonly until: number
  readonly wake: () => void
}

export interface SettableClock extends Clock {
  /** The database's clock: goes with `advance`, and can be set apart by `advanceDatabase`. */
  readonly database: DatabaseClock
  /** Lets both clocks go on by so many seconds, and wakes whoever has slept long enough, in order. */
  advance(seconds: number): void
  /** Lets only the database's clock jump: what an operator or a fail-over does to it. Negative goes back. */
  advanceDatabase(seconds: number): void
}

/** Time that stands still until a test moves it. Starts at noon on 1 January 2026. */
export function createSettableClock(start: Date = new Date('2026-01-01T12:00:00.000Z')): SettableClock {
  let monotonic = 0
  let base = start.getTime()
  let databaseBase = start.getTime()
  const sleepers = new Set<Sleeper>()

  return {
    now: () => new Date(base + monotonic),
    monotonicMs: () => monotonic,
    setTo(time) {
      base = time.getTime() - monotonic
    },
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        const stop = () => {
          sleepers.delete(sleeper)
          reject(signal?.reason)
        }
        const sleeper: Sleeper = {
          until: monotonic + ms,
          wake: () => {
            signal?.removeEventListener('abort', stop)
            resolve()
          },
        }
        if (signal?.aborted) return reject(signal.reason)
        signal?.addEventListener('abort', stop, { once: true })
        sleepers.add(sleeper)
      }),
    database: { read: async () => new Date(databaseBase + monotonic) },
    advance(seconds) {
      monotonic += seconds * 1000
      for (const sleeper of [...sleepers].sort((one, other) => one.until - other.until)) {
        if (sleeper.until > monotonic) break
        sleepers.delete(sleeper)
        sleeper.wake()
      }
    },
    advanceDatabase(seconds) {
      databaseBase += seconds * 1000
    },
  }
}
