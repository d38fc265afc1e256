import { createRandom } from '../harness.ts'
import { judgeQuiet, judgeStores } from '../judge/end.ts'
import type { Scenario } from '../scenarios/scenario.ts'
import type { Testbed, Trouble } from '../scenarios/testbed.ts'
import { createWorld, type PlayedWorld } from '../scenarios/world.ts'
import { told } from '../told.ts'

export interface Run {
  readonly testbed: Testbed
  readonly scenario: Scenario
  readonly seed: number
  readonly trouble: Trouble
  /** True where nothing is to go wrong. */
  readonly undisturbed: boolean
  breach(text: string): void
}

/** Longer than anything takes, however busy the machine. */
const mostMs = 60_000

/** A scenario from its beginning until nothing is owed any more. @returns false when it never ended, so that its testbed is lost. */
export const runScenario = async (run: Run): Promise<boolean> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<'late'>((resolve) => (timer = setTimeout(() => resolve('late'), mostMs)))
  const ended = await Promise.race([wholly(run), late])
  clearTimeout(timer)
  if (ended === 'late') run.breach(`it did not end within ${mostMs} ms`)
  return ended !== 'late'
}

const wholly = async ({ testbed, scenario, seed, trouble, undisturbed, breach }: Run): Promise<void> => {
  await testbed.begin(trouble, breach)
  const random = createRandom(seed).fork(scenario.name)
  const world = createWorld(testbed, { random, label: scenario.name, undisturbed, breach })
  try {
    await scenario.play(world)
  } catch (err) {
    breach(`it broke off: ${told(err)}`)
  }
  try {
    await endAndJudge(testbed, world, breach)
  } catch (err) {
    breach(`the end could not be looked at: ${told(err)}`)
  }
}

/** Lets it all come to its end, in calm, and judges what is left. */
export const endAndJudge = async (testbed: Testbed, world: PlayedWorld, breach: (text: string) => void): Promise<void> => {
  const remains = { query: testbed.query, stores: [testbed.bucket().adapter], breach }
  await world.quiesce()
  testbed.calm()
  await judgeStores(remains)
  await testbed.witness.check()
  await world.reconcile()
  await judgeQuiet(testbed.ctx, remains)
}
