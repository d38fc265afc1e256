import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { withOneServer } from './database.ts'
import type { Proof, ProofContext } from './harness.ts'
import { brokenBy, type Sabotage } from './sabotage/sabotage.ts'
import { sabotages } from './sabotage/table.ts'
import { openWorkshop, type Workshop } from './sabotage/workshop.ts'

const lanes = 2

/**
 * The proof of the proofs: the source is broken as a careless hand would break it, and what is said to notice has to notice. What survives is
 * a promise that nobody holds.
 */
export const sabotage: Proof = {
  name: 'sabotage',
  means:
    'whatever is broken in the source on purpose, one guard, one order, one limit at a time, turns the test or proof red that is named for it',
  unit: 'sabotages',
  amount: { ci: 2, full: sabotages.length },
  nightly: true,
  async run(proof) {
    const chosen = proof.random.shuffle(sabotages).slice(0, proof.amount)
    const greens = new Map<string, Promise<boolean>>()
    await withOneServer(() =>
      Promise.all(
        Array.from({ length: lanes }, async (_, lane) => {
          const workshop = openWorkshop(join(proof.folder, `workshop${lane}`))
          for (let next = chosen.pop(); next && !proof.signal.aborted; next = chosen.pop()) await tryOne(proof, { workshop, greens }, next)
        }),
      ),
    )
    return { runs: proof.amount, figures: { guards: greens.size } }
  },
}

interface Bench {
  readonly workshop: Workshop
  /** What is known of tests and proofs on the source as it stands. */
  readonly greens: Map<string, Promise<boolean>>
}

const tryOne = async (proof: ProofContext, { workshop, greens }: Bench, one: Sabotage): Promise<void> => {
  const misfit = misfitOf(one)
  if (misfit) return proof.breach(`${one.name} cannot be done any more, so that nothing is known of ${one.means}: ${misfit}`)
  const guard = JSON.stringify(one.red)
  const green = greens.get(guard) ?? workshop.run(one.red, proof.signal).then(({ red }) => !red)
  greens.set(guard, green)
  if (!(await green)) return proof.breach(`${guard} is red already, so that it cannot show ${one.name}`)
  const began = performance.now()
  const { red } = await workshop.sabotage(one, proof.signal)
  if (!red) proof.breach(`${one.name} survived ${guard}: ${one.means} (${one.file})`)
  else proof.note(`${one.name}: noticed after ${((performance.now() - began) / 1000).toFixed(0)} s`)
}

/** Why the source as it stands cannot be broken in this way; null when it can. */
const misfitOf = (one: Sabotage): string | null => {
  try {
    brokenBy(one, (file) => readFileSync(fileURLToPath(new URL(`../${file}`, import.meta.url)), 'utf8'))
    return null
  } catch (err) {
    return err instanceof Error ? err.message : String(err)
  }
}
