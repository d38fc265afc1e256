import { setTimeout as timer } from 'node:timers/promises'
import type { Clock, DatabaseClock } from '../../src/core/clock.ts'

/** A clock that all processes of a lane share: it follows from the machine's, and from how far it was put forward. */
export interface FastTime {
  readonly clock: Clock
  readonly database: DatabaseClock
  /** Puts it forward to so many seconds in all. Whoever sleeps until then wakes up. */
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
        const until = passedMs() + ms
        do await timer(Math.max(0, Math.min((until - passedMs()) / factor, lookEveryMs)), undefined, signal ? { signal } : {})
        while (passedMs() < until)
      },
      setTo: () => undefined,
    },
    database: { read: async () => now() },
    putForward: (seconds) => void (ahead = seconds),
  }
}

/** Of the machine's own time. */
const lookEveryMs = 100
