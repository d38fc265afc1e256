import { join } from 'node:path'
import { hasPostgres } from '../test/services/postgres.ts'
import { engineNamed, withOneServer } from './database.ts'
import type { Proof, ProofContext } from './harness.ts'
import { runScenario } from './nth/run.ts'
import { noting, spoken, striking, type Way } from './nth/ways.ts'
import type { Scenario } from './scenarios/scenario.ts'
import { scenarios } from './scenarios/table.ts'
import { openTestbed, type Testbed } from './scenarios/testbed.ts'
import { openTestbeds, share } from './scenarios/testbeds.ts'

/** One run: a scenario, and what goes wrong in it. */
interface Task {
  readonly scenario: Scenario
  readonly way: Way
}

/** One of so many runs is on PGlite, beside those on the server; none in `ci`, where it takes longer to open than all the rest. */
const oneEmbeddedOf = 40

/** Of a hundred chosen faults so many have to meet a call: work in the background does not come in the same order twice. */
const leastStruck = 0.95

/** Every call to the outside fails once, in each way that it can; then everything has to come right by itself. */
export const nth: Proof = {
  name: 'nth',
  means:
    'whichever call to storage, database, queue, decoder, clock or from a client fails, and in whichever way, every scenario comes to a right end',
  unit: 'runs',
  amount: { ci: 40, full: 4_200 },
  shows: { scenarios: 'scenarios', possible: 'possible ways' },
  async run(context) {
    return withOneServer(async () => {
      const testbeds = await openTestbeds(context)
      const possible = await noteAll(context, testbeds)
      const chosen = choose(context, possible)
      context.note(`${scenarios.length} scenarios have ${possible.length} calls and ways to fail; ${chosen.length} are tried`)
      const figures = await tryAll(context, testbeds, chosen)
      const struck = chosen.length - (figures['unstruck'] ?? 0)
      if (struck < chosen.length * leastStruck) context.breach(`of ${chosen.length} faults only ${struck} met a call`)
      return { runs: struck, figures: { scenarios: scenarios.length, possible: possible.length, ...figures } }
    })
  },
}

/** Plays every scenario as those do that know of a fault, with none, and notes what could go wrong. In `ci` only some of them. */
const noteAll = async (context: ProofContext, testbeds: readonly Testbed[]): Promise<readonly Task[]> => {
  const tasks: Task[] = []
  const some = context.size === 'ci' ? context.random.shuffle(scenarios).slice(0, context.amount / 5) : scenarios
  await share(testbeds, some, context.signal, async (testbed, scenario) => {
    const breach = (text: string) => context.breach(`${scenario.name} without a fault: ${text}`)
    const noted = noting(testbed.clock)
    await runScenario({ testbed, scenario, seed: context.seed, trouble: noted.trouble, undisturbed: false, breach })
    tasks.push(...noted.ways().map((way) => ({ scenario, way })))
    return true
  })
  return tasks.sort((one, other) => (nameOf(one) < nameOf(other) ? -1 : 1))
}

const nameOf = ({ scenario, way }: Task): string => `${scenario.name} ${spoken(way)}`

/** Of each scenario, port and kind of call some, before more of any. */
const choose = ({ random, amount }: ProofContext, possible: readonly Task[]): readonly Task[] => {
  const groups = Map.groupBy(random.shuffle(possible), ({ scenario, way }) => `${scenario.name} ${way.port} ${way.operation} ${way.kind}`)
  const ranked = [...groups.values()].flatMap((group) => group.map((task, rank) => ({ task, rank })))
  return random
    .shuffle(ranked)
    .sort((one, other) => one.rank - other.rank)
    .slice(0, amount)
    .map(({ task }) => task)
}

const tryAll = async (
  context: ProofContext,
  testbeds: readonly Testbed[],
  tasks: readonly Task[],
): Promise<Readonly<Record<string, number>>> => {
  const figures: Record<string, number> = { unstruck: 0 }
  let done = 0
  const run = async (testbed: Testbed, { scenario, way }: Task): Promise<boolean> => {
    const struck = striking(way, testbed.clock)
    const replay = `${scenario.name} ${spoken(way)} --seed ${context.seed}`
    const breach = (text: string) => context.breach(`${text}\n    again: node --conditions=rindle-source prove/nth/replay.ts ${replay}`)
    const ended = await runScenario({ testbed, scenario, seed: context.seed, trouble: struck.trouble, undisturbed: false, breach })
    figures[way.port] = (figures[way.port] ?? 0) + 1
    if (!struck.hasStruck()) figures['unstruck'] = (figures['unstruck'] ?? 0) + 1
    done += 1
    if (done % 500 === 0) context.note(`${done} of ${tasks.length}`)
    return ended
  }
  const isEmbedded = (index: number): boolean => context.size !== 'ci' && hasPostgres() && index % oneEmbeddedOf === 0
  const embedded = tasks.filter((_, index) => isEmbedded(index))
  const others = tasks.filter((_, index) => !isEmbedded(index))
  await Promise.all([
    share(testbeds, others, context.signal, run),
    embedded.length > 0 && onPglite(context, (testbed) => share([testbed], embedded, context.signal, run)),
  ])
  return { ...figures, onPglite: embedded.length }
}

const onPglite = async ({ folder }: ProofContext, run: (testbed: Testbed) => Promise<void>): Promise<void> => {
  const testbed = await openTestbed({ engine: engineNamed('pglite'), folder: join(folder, 'pglite') })
  await run(testbed)
}
