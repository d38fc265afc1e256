import { createRandom, type Random } from '../test/services/random.ts'

export { cpuMsOfTree, descendants, isAlive, peakResidentBytes, residentBytes } from '../test/services/processes.ts'
export { createRandom, type Random } from '../test/services/random.ts'

/**
 * A proof is a record: `export const tickets: Proof = { name: 'tickets', … }` in prove/tickets.ts, and one line in prove/table.ts.
 * It tries hard to break a promise, with choices that follow from a seed and work that is bounded, and counts how often it could.
 */
export type Proof = {
  /** What follows `npm run prove --`. */
  readonly name: string
  /** The promise, in one sentence. */
  readonly means: string
  /** What `amount` counts: 'rounds', 'MiB', 'kills', 'tickets'. */
  readonly unit: string
  /**
   * How much to do. `ci` has to end within 20 seconds on two busy cores, start-up included; `full` within 15 minutes.
   * A run of all proofs takes a tenth of `full`, rounded up, and never less than `ci`.
   */
  readonly amount: { readonly ci: number; readonly full: number }
  /** Which figures tell a stranger what was done, by name, and the words that follow the number in the README. */
  readonly shows?: Readonly<Record<string, string>>
  /** True for what is run by its name or with --nightly alone. */
  readonly nightly?: boolean
  /** A breach is reported by `context.breach`; throwing counts as one. Must end what it started. */
  run(context: ProofContext): Promise<ProofOutcome>
}

export type ProofSize = 'ci' | 'tenth' | 'full'

export type ProofContext = {
  readonly size: ProofSize
  readonly amount: number
  readonly seed: number
  /** Every choice of the proof comes from here; fork it per task where tasks run side by side. */
  readonly random: Random
  /** An empty folder of this run, removed at its end. */
  readonly folder: string
  /** Folders of files that nobody here made: those of the project, then those of `--corpus`. Proofs that take files look at all of them. */
  readonly corpus: readonly string[]
  /** Aborts when the time of this size is over. */
  readonly signal: AbortSignal
  /** Counts a broken promise. The text says what was expected and what was found. */
  breach(text: string): void
  /** Prints a line for people; silent with --json. */
  note(text: string): void
}

export type ProofOutcome = {
  /** How many attempts were made; a proof that made none has shown nothing and fails. */
  runs: number
  /** Further figures for the JSON line, units in their names. */
  figures?: Readonly<Record<string, number>>
}

export type ProofReport = {
  proof: string
  seed: number
  runs: number
  violations: number
  ms: number
  ok: boolean
} & Record<string, string | number | boolean>

/** Seconds after which a proof of this size is stopped and has failed: three times what it may take on a machine with nothing else to do. */
export const limitSeconds: Readonly<Record<ProofSize, number>> = { ci: 60, tenth: 900, full: 2_700 }

export function amountOf(proof: Proof, size: ProofSize): number {
  if (size === 'ci') return proof.amount.ci
  if (size === 'full') return proof.amount.full
  return Math.min(proof.amount.full, Math.max(proof.amount.ci, Math.ceil(proof.amount.full / 10)))
}

/** Runs a proof and never throws: whatever goes wrong, time running out included, is a violation in the report. */
export async function runProof(
  proof: Proof,
  options: Pick<ProofContext, 'size' | 'seed' | 'folder' | 'note' | 'breach'> & { readonly corpus?: readonly string[] },
): Promise<ProofReport> {
  const { size, seed, folder, note, corpus = [] } = options
  const started = performance.now()
  let violations = 0
  const breach = (text: string) => {
    violations += 1
    options.breach(text)
  }
  const limit = new AbortController()
  const timer = setTimeout(() => limit.abort(), limitSeconds[size] * 1000)
  const outOfTime = new Promise<never>((_, reject) => {
    limit.signal.addEventListener('abort', () => reject(new Error(`did not end within ${limitSeconds[size]} seconds`)))
  })
  let outcome: ProofOutcome = { runs: 0 }
  try {
    const random = createRandom(seed)
    const amount = amountOf(proof, size)
    const context: ProofContext = { size, amount, seed, random, folder, corpus, signal: limit.signal, breach, note }
    outcome = await Promise.race([proof.run(context), outOfTime])
    if (outcome.runs < 1) breach('no attempt was made, so nothing was shown')
  } catch (error) {
    breach(error instanceof Error ? (error.stack ?? error.message) : String(error))
  } finally {
    clearTimeout(timer)
  }
  const ms = Math.round(performance.now() - started)
  return { proof: proof.name, seed, runs: outcome.runs, violations, ms, ok: violations === 0, ...outcome.figures }
}
