import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Random } from '../harness.ts'

/** Where a process may be told to die: `<who>: <what it does to the outside>: <before, during, inside, after>`. */
export type Point = string

/**
 * Told to a process: at each of these points one who comes by stays, at that passing of it, from 1; and when `most` stay, or a while after the
 * first of them did, the process dies, with all of them where they are. What others in it do goes on until then.
 */
export interface Death {
  readonly points: Readonly<Record<Point, number>>
  readonly most: number
}

/** How often each point was passed. */
export type Passings = Readonly<Record<Point, number>>

/** What is known of a process that died: where it was told to, and what it had passed until then. */
export interface LastWords {
  readonly died: readonly Point[]
  readonly passed: Passings
}

export interface Passing {
  /** Notes that somebody of the process comes by. Never resolves where it is to die. */
  pass(point: Point): Promise<void>
  /** From now on it dies so; null: not at all, but where somebody stays already. */
  arm(death: Death | null): void
  passed(): Passings
}

const pathOf = (folder: string, pid: number): string => join(folder, `${pid}.point`)

/** What the process wrote down before it died; null when it was not told to. */
export const lastWordsOf = (folder: string, pid: number): LastWords | null => {
  const path = pathOf(folder, pid)
  try {
    const words: LastWords = JSON.parse(readFileSync(path, 'utf8'))
    rmSync(path)
    return words
  } catch {
    return null
  }
}

/** It writes its last words into `folder`. */
export const createPassing = (folder: string): Passing => {
  const passings = new Map<Point, number>()
  const staying = new Set<Point>()
  const left = new Map<Point, number>()
  let plan: Death | null = null

  const passed = (): Passings => Object.fromEntries(passings)
  const die = (): void => {
    const words: LastWords = { died: [...staying], passed: passed() }
    writeFileSync(pathOf(folder, process.pid), JSON.stringify(words))
    process.kill(process.pid, 'SIGKILL')
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
  }
  const stay = ({ most }: Death, point: Point): Promise<never> => {
    if (staying.size === 0) afterAWhile(die)
    staying.add(point)
    if (staying.size >= most) die()
    return new Promise(() => undefined)
  }
  return {
    passed,
    async pass(point) {
      passings.set(point, (passings.get(point) ?? 0) + 1)
      const times = left.get(point)
      if (times === undefined || plan === null) return
      left.set(point, times - 1)
      if (times > 1) return
      left.delete(point)
      await stay(plan, point)
    },
    arm(death) {
      if (staying.size > 0) return
      plan = death
      left.clear()
      for (const [point, times] of Object.entries(death?.points ?? {})) left.set(point, times)
    },
  }
}

/** So much CPU time leads others to where they are to stay, on a busy machine as well; but not longer than that. */
const whileCpuMs = 100
const whileMs = 2_000
const lookEveryMs = 20

const afterAWhile = (run: () => void): void => {
  const [began, cpu] = [performance.now(), process.cpuUsage()]
  setInterval(() => {
    const { user, system } = process.cpuUsage(cpu)
    if ((user + system) / 1000 > whileCpuMs || performance.now() - began > whileMs) run()
  }, lookEveryMs)
}

const fewest = 8
/** Many of them soon, or few, so that what comes late is reached. */
const shares = [2, 2, 8] as const
const most = 12
/**
 * Of what is wanted that which was hit least, each at one of its first passings: which of them come first is left to the process, which is
 * given a moment to come to several.
 */
export const deathOf = (random: Random, wanted: readonly Point[], hits: ReadonlyMap<Point, number>): Death | null =>
  wanted.length === 0
    ? null
    : {
        most,
        points: Object.fromEntries(
          random
            .shuffle(wanted)
            .sort((one, other) => (hits.get(one) ?? 0) - (hits.get(other) ?? 0))
            .slice(0, Math.max(fewest, wanted.length / random.pick(shares)))
            .map((point) => [point, 1 + random.int(2)]),
        ),
      }
