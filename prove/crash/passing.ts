import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Random } from '../harness.ts'

/** Where a process may be told to die: `<who>: <what it does to the outside>: <before, during, inside, after>`. */
export type Point = string

/** Told to a process: the points at one of which it dies, and at which passing of it, from 1. */
export type Death = Readonly<Record<Point, number>>

export interface Passing {
  /** Notes that the process comes by, and ends it there if it was told so. */
  pass(point: Point): void
  /** From now on it dies so; null: not at all. */
  arm(death: Death | null): void
  /** Where it would die now. */
  armed(): readonly Point[]
}

/** Where a process that is about to die writes down at which point that was. */
export const lastWords = (folder: string, pid: number): string => join(folder, `${pid}.point`)

/** Points are announced by `seen` when they are passed for the first time. */
export const createPassing = (folder: string, seen: (point: Point) => void): Passing => {
  const known = new Set<Point>()
  let left = new Map<Point, number>()
  return {
    pass(point) {
      if (known.size < known.add(point).size) seen(point)
      const passings = left.get(point)
      if (passings === undefined) return
      left.set(point, passings - 1)
      if (passings > 1) return
      writeFileSync(lastWords(folder, process.pid), point)
      process.kill(process.pid, 'SIGKILL')
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
    },
    arm: (death) => void (left = new Map(Object.entries(death ?? {}))),
    armed: () => [...left.keys()],
  }
}

const fewest = 4
/** Of what is wanted that which was hit least, each at one of its first passings: which of them comes first is left to the process. */
export const deathOf = (random: Random, wanted: readonly Point[], hits: ReadonlyMap<Point, number>): Death =>
  Object.fromEntries(
    random
      .shuffle(wanted)
      .sort((one, other) => (hits.get(one) ?? 0) - (hits.get(other) ?? 0))
      .slice(0, Math.max(fewest, wanted.length / 3))
      .map((point) => [point, 1 + random.int(2)]),
  )
