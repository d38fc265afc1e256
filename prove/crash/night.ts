import { setTimeout as pause } from 'node:timers/promises'
import type { Evening } from './child.ts'
import type { Ground } from './ground.ts'

export interface Calm {
  /** Of the people whose day is over; null before their first word about it. */
  evening(): Evening | null
  /** Whether all of them have come to an end. */
  areTheyGone(): boolean
  putForward(seconds: number): Promise<void>
  /** Whether a worker of that name is not dead. */
  isAlive(worker: string): boolean
  /** Whether workers may still die. */
  isUneasy(passedMs: number): boolean
  /** From here on nobody dies. */
  becomeCalm(): void
  readonly signal: AbortSignal
}

/** What is due by then is found by nobody. */
export const nightMs = { ci: 30_000, tenth: 120_000, full: 120_000 } as const
const stepMs = 100
const daySeconds = 90_000
/**
 * What looks every hour whether it may go need not be waited for by the hour; nor what is due soon by the second, while people wait for workers. A
 * day at most, since every day each store is listed.
 */
const [sleepSeconds, dozeSeconds] = [86_400, 600] as const

/** Until everybody has ended what they play, or waits. */
export const evening = async ({ evening: seen, areTheyGone, signal }: Calm, withinMs: number): Promise<void> => {
  const began = performance.now()
  while (performance.now() - began < withinMs && !signal.aborted && !areTheyGone() && !seen()?.isWaiting) await pause(stepMs)
}

/**
 * Lets time go on from one thing that is due to the next, until everybody has ended what they play and nothing is due but what is there for good;
 * and two days more. While somebody is at work it goes twice as fast as in the day and no faster, so that nobody who lives loses a lease, which is
 * renewed by the clock of the machine. @returns what is left after that, for people.
 */
export const night = async (ground: Ground, calm: Calm, withinMs: number): Promise<readonly string[]> => {
  const began = performance.now()
  const isLate = (): boolean => calm.signal.aborted || performance.now() - began > withinMs
  for (let isQuiet = false; !isQuiet && !isLate(); await pause(stepMs)) {
    if (!calm.isUneasy(performance.now() - began)) calm.becomeCalm()
    const areGone = calm.areTheyGone()
    const seen = calm.evening()
    if (!areGone && !seen?.isWaiting) continue
    const due = (await ground.nextDue())?.getTime() ?? Infinity
    const until = (areGone ? null : seen?.until) ?? Infinity
    isQuiet = areGone && due === Infinity
    const now = ground.time.clock.now().getTime()
    const [dueIn, waitedFor] = [(due - now) / 1000, (until - now) / 1000]
    const hurry = (await ground.atWork()).some(calm.isAlive) ? (stepMs / 1000) * ground.task.factor : Infinity
    const longest = !areGone && seen?.isForWorkers ? Math.max(dueIn, dozeSeconds) : sleepSeconds
    if (Math.min(dueIn, waitedFor) > 0) await calm.putForward(Math.min(hurry, 1 + Math.min(waitedFor, longest, sleepSeconds)))
  }
  calm.becomeCalm()
  if (!calm.areTheyGone()) return [`people wait: ${JSON.stringify(calm.evening())}`, ...(await ground.left())]
  for (let days = 0; days < 2; days += 1) {
    ground.age()
    await calm.putForward(daySeconds)
    await pause(10 * stepMs)
    while (!isLate() && (await ground.left()).length > 0) await pause(stepMs)
  }
  return ground.left()
}
