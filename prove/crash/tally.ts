import type { Kind } from './crew.ts'
import type { Point } from './passing.ts'
import { storeOf } from './points.ts'

/** What was hit how often, of all processes together. */
export interface Tally {
  seen(point: Point): void
  hit(point: Point): void
  played(name: string, how: string): void
  /** What a process of that kind passes on that store, and was not hit often enough. */
  wanted(kind: Kind, store: 'local' | 's3'): readonly Point[]
  isWanting(store: 'local' | 's3'): boolean
  /** What is wanted, and was hit less often than it had to be, with how often it was. */
  missing(): readonly (readonly [Point, number])[]
  readonly hits: ReadonlyMap<Point, number>
  /** What was passed, whether it was wanted or not. */
  readonly all: ReadonlySet<Point>
  readonly playings: ReadonlyMap<string, number>
}

const ofWorkers = /^(?:worker|promote_asset|build_variants|settle_slots|purge_asset|delete_object)\b/

const kindOf = (point: Point): Kind => (ofWorkers.test(point) ? 'worker' : 'web')

/** `points` are wanted `times` each; those of them in `seldom` once, if they are passed at all. */
export const createTally = (points: readonly Point[], times: number, seldom: ReadonlySet<Point> = new Set()): Tally => {
  const hits = new Map<Point, number>()
  const all = new Set<Point>()
  const playings = new Map<string, number>()
  const left = (point: Point): boolean => (hits.get(point) ?? 0) < (seldom.has(point) ? 1 : times)
  const isMissing = (point: Point): boolean => left(point) && !seldom.has(point)
  const isOn = (point: Point, store: 'local' | 's3'): boolean => [store, 'any', undefined].includes(storeOf.get(point))
  return {
    ...{ hits, all, playings },
    seen: (point) => void all.add(point),
    hit(point) {
      all.add(point)
      hits.set(point, (hits.get(point) ?? 0) + 1)
    },
    played: (name, how) => void playings.set(`${name} ${how}`, (playings.get(`${name} ${how}`) ?? 0) + 1),
    wanted: (kind, store) => points.filter((point) => kindOf(point) === kind && isOn(point, store) && left(point)),
    isWanting: (store) => points.some((point) => isOn(point, store) && isMissing(point)),
    missing: () => points.filter(isMissing).map((point) => [point, hits.get(point) ?? 0] as const),
  }
}
