import { setTimeout as pause } from 'node:timers/promises'

/** Finds out when work that is under way waits for time alone. */
export interface Stillness {
  /** Says that something happens. */
  touch(): void
  /** Says that this work goes on, however long nothing is heard of it. */
  working<T>(work: Promise<T>): Promise<T>
  /** Says that this wait is one for time alone. */
  waiting<T>(wait: Promise<T>): Promise<T>
  /** Waits for `work`, and calls `still` whenever nothing has happened for a while. */
  whenever<T>(work: Promise<T>, still: (now: StillNow) => void): Promise<T>
}

export interface StillNow {
  /** How often this work was still before. */
  readonly times: number
  /** Whether a call is known to wait for time. */
  readonly isKnown: boolean
}

export interface StillnessOptions {
  readonly tickMs: number
  /** With a call that is known to wait for time, whatever else is under way has so many ticks to say something. */
  readonly knownTicks: number
  /** The same where nobody said so. */
  readonly unknownTicks: number
}

/** Two seconds where nobody said so: a decoder may be at work, or code that sleeps by timers of its own. */
const forTests: StillnessOptions = { tickMs: 5, knownTicks: 6, unknownTicks: 400 }

/** A disk that is busy may take its time. */
const areFilesInUse = (): boolean => process.getActiveResourcesInfo().some((name) => name.startsWith('FSReq'))

export const createStillness = ({ tickMs, knownTicks, unknownTicks } = forTests): Stillness => {
  let touches = 0
  let waits = 0
  let works = 0

  return {
    touch: () => void (touches += 1),
    async working(work) {
      works += 1
      try {
        return await work
      } finally {
        works -= 1
        touches += 1
      }
    },
    async waiting(wait) {
      waits += 1
      try {
        return await wait
      } finally {
        waits -= 1
        touches += 1
      }
    },
    async whenever(work, still) {
      let isOver = false
      const done = work.then(
        () => void (isOver = true),
        () => void (isOver = true),
      )
      // What is over at once costs no timer.
      await Promise.race([done, new Promise((resolve) => setImmediate(resolve))])
      let [quiet, seen, times] = [0, touches, 0]
      while (!isOver) {
        const ender = new AbortController()
        await Promise.race([done, pause(tickMs, undefined, { signal: ender.signal }).catch(() => undefined)])
        ender.abort()
        quiet = touches === seen && works === 0 && !areFilesInUse() ? quiet + 1 : 0
        seen = touches
        const isKnown = waits > 0
        if (isOver || quiet < (isKnown ? knownTicks : unknownTicks)) continue
        still({ times, isKnown })
        times += 1
        quiet = 0
      }
      return work
    },
  }
}
