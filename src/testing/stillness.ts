import { setTimeout as pause } from 'node:timers/promises'

/** Finds out when work that is under way waits for time alone. */
export interface Stillness {
  /** Says that something happens. */
  touch(): void
  /** Says that this wait is one for time alone. */
  waiting<T>(wait: Promise<T>): Promise<T>
  /** Waits for `work`, and calls `still` whenever nothing has happened for a while. */
  whenever<T>(work: Promise<T>, still: () => void): Promise<T>
}

const tickMs = 5
/** With a call that is known to wait for time, whatever else is under way has this long to say something. */
const knownTicks = 6
/** Otherwise a decoder may be at work, or code that sleeps by timers of its own. */
const unknownTicks = 400

/** A disk that is busy may take its time. */
const areFilesInUse = (): boolean => process.getActiveResourcesInfo().some((name) => name.startsWith('FSReq'))

export const createStillness = (): Stillness => {
  let touches = 0
  let waits = 0

  return {
    touch: () => void (touches += 1),
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
      let [quiet, seen] = [0, touches]
      while (!isOver) {
        const ender = new AbortController()
        await Promise.race([done, pause(tickMs, undefined, { signal: ender.signal }).catch(() => undefined)])
        ender.abort()
        quiet = touches === seen && !areFilesInUse() ? quiet + 1 : 0
        seen = touches
        if (isOver || quiet < (waits > 0 ? knownTicks : unknownTicks)) continue
        still()
        quiet = 0
      }
      return work
    },
  }
}
