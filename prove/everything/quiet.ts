import { lookSeconds } from '../../src/core/schedule.ts'
import type { SettableClock } from '../../src/testing/clock.ts'
import { createTestWorker, type TestWorker } from '../../src/testing/test-worker.ts'
import { type DatedRow, listDated } from '../judge/dates.ts'
import type { WitnessOptions } from '../judge/witness-options.ts'
import type { SimulatedProcess } from './simulated-process.ts'
import type { FastTime } from './time.ts'
import type { UnreliablePorts } from './unreliable-ports.ts'

export interface Calm extends WitnessOptions {
  readonly time: FastTime
  readonly ports: Pick<UnreliablePorts, 'landDue' | 'nextLanding'>
  /** One that nothing happens to, and that does no jobs by itself. */
  readonly process: SimulatedProcess
  readonly signal: AbortSignal
  /** Looks at what always holds, after every round. */
  watch(): Promise<void>
}

/** Far more than it ever took. */
const mostRounds = 250
const mostLooks = 40
const filesAtOnce = 16

/** One worker that sweeps and works, round by round: until nothing is due for now, and then until something is again. */
const createRounds = ({ query, time, ports, process, watch }: Calm) => {
  const worker = createTestWorker(process.app, movedByOthers(process.clock), { holder: 'the last worker', decoders: filesAtOnce })
  const firstDated = async (): Promise<DatedRow | null> => (await listDated(query, 1))[0] ?? null
  const isDue = async (): Promise<boolean> => {
    const first = await firstDated()
    return first !== null && first.dueAt <= time.now()
  }
  const look = async (seconds: number): Promise<void> => {
    await time.jump(seconds)
    await worker.pass(lookSeconds)
  }
  return {
    worker,
    look,
    async settle(): Promise<void> {
      await ports.landDue()
      await watch()
      await look(lookSeconds)
      for (let looks = 1; looks < mostLooks && (await isDue()); looks += 1) await look(lookSeconds)
      await watch()
    },
    /** Moves time on to what is due next, or lands. @returns false when nothing is. */
    async moveOn(atLeast: number): Promise<boolean> {
      const [first, landing] = [await firstDated(), await ports.nextLanding()]
      if (first === null && landing === null) return false
      const due = first === null ? Infinity : (first.dueAt.getTime() - time.now().getTime()) / 1000
      await time.jump(Math.max(lookSeconds, Math.min(due, (landing ?? Infinity) - time.seconds()), atLeast))
      return true
    },
  }
}

/** Time goes by for everybody at once, so that the worker finds it moved, and never waits for it. */
const movedByOthers = (clock: SettableClock): SettableClock => ({ ...clock, advance: () => undefined, during: (work) => work })

/** Lets time move on until `isSo`. @returns the rounds that it took; null when it never was. */
export const roundsUntil = async (calm: Calm, most: number, isSo: () => Promise<boolean>): Promise<number | null> => {
  const { settle, moveOn } = createRounds(calm)
  for (let round = 0; round < most && !calm.signal.aborted; round += 1) {
    await settle()
    if (await isSo()) return round
    await moveOn(0)
  }
  return null
}

/**
 * Lets time move on, from one due date to the next, until no row is owed anything and storage holds nothing that no row knows: with one worker
 * that sweeps and works. Returns the rounds that it took; null when it did not come to an end.
 */
export const untilNothingIsDue = async (calm: Calm): Promise<number | null> => {
  const { worker, settle, moveOn, look } = createRounds(calm)
  for (let round = 0; round < mostRounds && !calm.signal.aborted; round += 1) {
    await settle()
    if (await moveOn(round < 20 ? 0 : 600)) continue
    await look(3 * 86_400)
    await reconciled(worker, calm)
    if ((await listDated(calm.query, 1)).length === 0) return round
  }
  return null
}

const reconciled = async (worker: TestWorker, { breach }: Calm): Promise<void> => {
  for (const { store, deleted, unknown } of await worker.reconcile())
    if (deleted + unknown > 0) breach(`${store} held ${deleted + unknown} objects that no row knew`)
}
