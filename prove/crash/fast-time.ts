import { setTimeout as timer } from 'node:timers/promises'
import type { Clock, DatabaseClock } from '../../src/core/clock.ts'

/** A clock that all processes of a lane share: it follows from the machine's, and from how far it was put forward. */
export interface FastTime {
  readonly clock: Clock
  readonly database: DatabaseClock
  /** Puts it forward to so many seconds in all. Wakes nobody before the time that they set themselves, which is short. */
  putForward(seconds: number): void
}

/** Began at `since`, in milliseconds of the machine's own time, with that time, and goes `factor` times as fast. */
export const createFastTime = ({ since, factor }: { readonly since: number; readonly factor: number }): FastTime => {
  let ahead = 0
  const passedMs = (): number => (performance.timeOrigin + performance.now() - since) * factor + ahead * 1000
  const now = (): Date => new Date(since + passedMs())
  return {
    clock: {
      now,
      monotonicMs: passedMs,
      async sleep(ms, signal) {
        await timer(Math.min(ms / factor, longestTimerMs), undefined, signal ? { signal } : {})
      },
      setTo: () => undefined,
    },
    database: { read: async () => now() },
    putForward: (seconds) => void (ahead = seconds),
  }
}

const longestTimerMs = 2 ** 31 - 1
