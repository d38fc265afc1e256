import type { Clock, DatabaseClock } from '../core/clock.ts'
import { createStillness } from './stillness.ts'

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
  /**
   * Lets only the process's clock jump. Forward, it wakes whoever has slept long enough. Negative goes back: by `now()` alone, until it is set to
   * the database's again, since what leases are measured by never goes back.
   */
  advanceMachine(seconds: number): void
  /** In how many seconds somebody who sleeps by this clock wakes; null when nobody does. */
  nextWakeSeconds(): number | null
  /** Says that nothing but time, or a signal, can end this wait: `during` need not look whether anything else happens. */
  waiting<T>(wait: Promise<T>): Promise<T>
  /**
   * Waits for `work`, and moves both clocks on to whoever wakes next whenever `work` waits for time alone: a call that hangs is over in moments.
   * Code that sleeps by its own timers is given two seconds of the machine's time before the clocks are moved.
   */
  during<T>(work: Promise<T>): Promise<T>
}

/** Time that stands still until a test moves it. Starts at noon on 1 January 2026. */
export function createSettableClock(start: Date = new Date('2026-01-01T12:00:00.000Z')): SettableClock {
  let monotonic = 0
  let passed = 0
  let base = start.getTime()
  let databaseBase = start.getTime()
  const sleepers = new Set<Sleeper>()
  const stillness = createStillness()
  const { touch } = stillness

  const wakeSleepers = (): void => {
    for (const sleeper of [...sleepers].sort((one, other) => one.until - other.until)) {
      if (sleeper.until > monotonic) break
      sleepers.delete(sleeper)
      sleeper.wake()
    }
  }
  const clock: SettableClock = {
    now() {
      touch()
      return new Date(base + monotonic)
    },
    monotonicMs() {
      touch()
      return monotonic
    },
    setTo(time) {
      base = time.getTime() - monotonic
    },
    sleep: (ms, signal) => {
      touch()
      return slept(sleepers, monotonic + ms, signal).finally(touch)
    },
    database: {
      async read() {
        touch()
        return new Date(databaseBase + passed)
      },
    },
    advance(seconds) {
      monotonic += seconds * 1000
      passed += seconds * 1000
      wakeSleepers()
    },
    advanceDatabase(seconds) {
      databaseBase += seconds * 1000
    },
    advanceMachine(seconds) {
      if (seconds < 0) base += seconds * 1000
      else monotonic += seconds * 1000
      wakeSleepers()
    },
    nextWakeSeconds: () =>
      sleepers.size === 0 ? null : Math.max(0, Math.min(...[...sleepers].map(({ until }) => until)) - monotonic) / 1000,
    waiting: (wait) => stillness.waiting(wait),
    during: (work) =>
      stillness.whenever(work, () => {
        const seconds = clock.nextWakeSeconds()
        if (seconds !== null) clock.advance(seconds)
      }),
  }
  return clock
}

const slept = (sleepers: Set<Sleeper>, until: number, signal: AbortSignal | undefined): Promise<void> =>
  new Promise((resolve, reject) => {
    const stop = () => {
      sleepers.delete(sleeper)
      reject(signal?.reason)
    }
    const sleeper: Sleeper = {
      until,
      wake: () => {
        signal?.removeEventListener('abort', stop)
        resolve()
      },
    }
    if (signal?.aborted) return reject(signal.reason)
    signal?.addEventListener('abort', stop, { once: true })
    sleepers.add(sleeper)
  })
