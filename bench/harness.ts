import type { Random } from '../test/services/random.ts'

export { cpuMsOfTree, peakResidentBytes, residentBytes } from '../test/services/processes.ts'
export { createRandom, type Random } from '../test/services/random.ts'

/**
 * A benchmark is a record: `export const images: Bench = { name: 'images', … }` in bench/images.ts, and one line in bench/table.ts.
 * It runs ours and each reference in turn, several rounds in one process, and is judged on ratios alone: absolute figures of a
 * shared machine mean little.
 */
export type Bench = {
  /** What follows `npm run bench --`. */
  readonly name: string
  /** One sentence: what is compared with what. */
  readonly means: string
  /** How often each side runs and counts; one uncounted round goes before. Odd, so that the median is a measured value. */
  readonly rounds: number
  readonly comparisons: readonly Comparison[]
  /** Makes everything that is not to be measured: files, databases, warm children. */
  prepare(context: BenchContext): Promise<BenchSides>
}

/** Our figure divided by the reference's, in the same round. */
export type Comparison = {
  /** A key of `Measures`, its unit in the name: `cpuMs`, `lifecyclesPerSecond`. */
  readonly metric: string
  /** A key of `BenchSides.sides`, other than `ours`. */
  readonly reference: string
  /** What the median ratio has to keep; null where the figure is shown only. */
  readonly goal: Goal | null
}

export type Goal = `<=${number}` | `>=${number}`

export type BenchSides = {
  /** `ours` and every reference; each call is one round and gives the figures of it. Order within a round alternates. */
  readonly sides: Readonly<Record<string, () => Promise<Measures>>> & { readonly ours: () => Promise<Measures> }
  /** Ends what `prepare` started; called also when a round throws. */
  close(): Promise<void>
}

/** Figures of one round by metric. Those that no comparison names are printed as medians. */
export type Measures = Readonly<Record<string, number>>

export type BenchContext = {
  /** Always the same values, so that every run measures the same work. */
  readonly random: Random
  /** An empty folder of this run, removed at its end. */
  readonly folder: string
  /** Prints a line for people; silent with --json. */
  note(text: string): void
}

export type ComparisonResult = {
  bench: string
  metric: string
  reference: string
  ratio: { min: number; median: number; max: number }
  goal: Goal | null
  ok: boolean
}

export type BenchReport = {
  results: ComparisonResult[]
  /** Medians of every metric by side. */
  medians: Record<string, Record<string, number>>
}

/** Runs a benchmark: one uncounted round, then `rounds` in which every side has its turn. */
export async function runBench(bench: Bench, context: BenchContext): Promise<BenchReport> {
  const prepared = await bench.prepare(context)
  try {
    const names = Object.keys(prepared.sides)
    const figures = new Map<string, Measures[]>(names.map((name) => [name, []]))
    for (let round = 0; round <= bench.rounds; round++) {
      for (const name of round % 2 === 0 ? names : names.toReversed()) {
        const measured = await prepared.sides[name]!()
        if (round > 0) figures.get(name)!.push(measured)
      }
      if (round > 0) context.note(`round ${round} of ${bench.rounds}`)
    }
    return report(bench, figures)
  } finally {
    await prepared.close()
  }
}

/** The middle value; the mean of the two middle ones when there is an even number of them. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** True when `value` keeps the goal; a figure that is not a number keeps none. */
export function keepsGoal(goal: Goal | null, value: number): boolean {
  if (goal === null) return true
  const bound = Number(goal.slice(2))
  return goal.startsWith('<=') ? value <= bound : value >= bound
}

function report(bench: Bench, figures: ReadonlyMap<string, readonly Measures[]>): BenchReport {
  const medians: BenchReport['medians'] = {}
  for (const [side, rounds] of figures) {
    const metrics = Object.keys(rounds[0] ?? {})
    medians[side] = Object.fromEntries(metrics.map((metric) => [metric, median(rounds.map((round) => figure(round, metric, side)))]))
  }
  const results = bench.comparisons.map(({ metric, reference, goal }) => {
    const ours = figures.get('ours') ?? []
    const theirs = figures.get(reference)
    if (!theirs) throw new Error(`bench ${bench.name} compares with ${reference}, but has no such side`)
    const ratios = ours.map((round, index) => figure(round, metric, 'ours') / figure(theirs[index]!, metric, reference))
    const ratio = { min: rounded(Math.min(...ratios)), median: rounded(median(ratios)), max: rounded(Math.max(...ratios)) }
    return { bench: bench.name, metric, reference, ratio, goal, ok: keepsGoal(goal, median(ratios)) }
  })
  return { results, medians }
}

function figure(round: Measures, metric: string, side: string): number {
  const value = round[metric]
  if (value === undefined) throw new Error(`the side ${side} gave no figure ${metric}`)
  return value
}

function rounded(value: number): number {
  return Number(value.toPrecision(4))
}
