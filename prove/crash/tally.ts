import type { Kind } from './crew.ts'
import type { Passings, Point } from './passing.ts'
import { storeOf } from './points.ts'

/** What was hit and played how often, by all processes together. */
export interface Tally {
  /** A process died with somebody at each of these points. */
  died(points: readonly Point[]): void
  passed(passings: Passings): void
  /** What a process of that kind, or of any, passes on that store, and was not hit often enough. */
  wanted(kind: Kind | null, store: 'local' | 's3'): readonly Point[]
  isWanting(store: 'local' | 's3'): boolean
  /** What is wanted, and was hit less often than it had to be, with how often it was. */
  missing(): readonly (readonly [Point, number])[]
  readonly hits: ReadonlyMap<Point, number>
  /** How often each point was passed, whether it was wanted or not. */
  readonly passings: ReadonlyMap<Point, number>
  readonly begun: Counts
  readonly ended: Counts
  /** Counts by name of whatever else happened. */
  readonly other: Counts
}

export interface Counts {
  add(name: string, times?: number): void
  readonly all: ReadonlyMap<string, number>
  sum(): number
}

export const createCounts = (): Counts => {
  const all = new Map<string, number>()
  return {
    all,
    add: (name, times = 1) => void all.set(name, (all.get(name) ?? 0) + times),
    sum: () => [...all.values()].reduce((sum, count) => sum + count, 0),
  }
}

const ofWorkers = /^(?:worker|promote_asset|build_variants|make_poster|transcode_asset|settle_slots|purge_asset|delete_object)\b/

const kindOf = (point: Point): Kind => (ofWorkers.test(point) ? 'worker' : 'web')

/** What is needed no time is wanted once all the same, for as long as others are. */
export const createTally = (points: readonly Point[], timesOf: (point: Point) => number): Tally => {
  const [hits, passings, begun, ended, other] = [createCounts(), createCounts(), createCounts(), createCounts(), createCounts()]
  const hitsOf = (point: Point): number => hits.all.get(point) ?? 0
  const isMissing = (point: Point): boolean => hitsOf(point) < timesOf(point)
  const isOn = (point: Point, store: 'local' | 's3'): boolean => [store, 'any', undefined].includes(storeOf.get(point))
  return {
    ...{ hits: hits.all, passings: passings.all, begun, ended, other },
    died(all) {
      other.add('deaths')
      for (const point of all) hits.add(point)
    },
    passed(all) {
      for (const [point, count] of Object.entries(all)) passings.add(point, count)
    },
    wanted: (kind, store) =>
      points.filter(
        (point) => (kind === null || kindOf(point) === kind) && isOn(point, store) && hitsOf(point) < Math.max(1, timesOf(point)),
      ),
    isWanting: (store) => points.some((point) => isOn(point, store) && isMissing(point)),
    missing: () => points.filter(isMissing).map((point) => [point, hitsOf(point)] as const),
  }
}
