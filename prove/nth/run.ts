import { createRandom } from '../harness.ts'
import { judgeInvariants, judgeLedger } from '../scenarios/end.ts'
import type { Scenario } from '../scenarios/scenario.ts'
import { type Stage, told, type Trouble } from '../scenarios/stage.ts'
import { createWorld } from '../scenarios/world.ts'

export interface Run {
  readonly stage: Stage
  readonly scenario: Scenario
  readonly seed: number
  readonly trouble: Trouble
  /** True where nothing is to go wrong. */
  readonly undisturbed: boolean
  breach(text: string): void
}

/** Longer than anything takes, however busy the machine. */
const mostMs = 60_000

/** A scenario from its beginning until nothing is owed any more. @returns false when it never ended, so that its stage is lost. */
export const runScenario = async (run: Run): Promise<boolean> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<'late'>((resolve) => (timer = setTimeout(() => resolve('late'), mostMs)))
  const ended = await Promise.race([wholly(run), late])
  clearTimeout(timer)
  if (ended === 'late') run.breach(`it did not end within ${mostMs} ms`)
  return ended !== 'late'
}

const wholly = async ({ stage, scenario, seed, trouble, undisturbed, breach }: Run): Promise<void> => {
  await stage.begin(trouble)
  const random = createRandom(seed).fork(scenario.name)
  const world = createWorld(stage, { random, label: scenario.name, undisturbed, breach })
  try {
    await scenario.play(world)
  } catch (err) {
    breach(`it broke off: ${told(err)}`)
  }
  try {
    await world.quiesce()
    stage.calm()
    await judgeLedger(stage, breach)
    await world.reconcile()
    await judgeInvariants(stage, breach)
  } catch (err) {
    breach(`the end could not be looked at: ${told(err)}`)
  }
}
