import { backoffSeconds } from '../src/core/trouble.ts'
import type { Proof, ProofContext } from './harness.ts'
import { runScenario } from './nth/run.ts'
import type { Scenario } from './scenarios/scenario.ts'
import { scenarios } from './scenarios/table.ts'
import type { Testbed } from './scenarios/testbed.ts'
import { openTestbeds, share } from './scenarios/testbeds.ts'
import { storm as stormOn } from './storm/weather.ts'
import { withOneServer } from './database.ts'

const shareOfCalls = 0.3
const minutes = { least: 2, most: 30 }

interface Round {
  readonly scenario: Scenario
  readonly seed: number
}

/** Storage fails for minutes, in every way at once, then it is well: whatever was going on comes to its right end, without a flood of requests. */
export const storm: Proof = {
  name: 'storm',
  means: `when three calls of ten to storage fail for minutes and then none, every lifecycle comes to a right end, asks storage no more often than its backoff allows, and leaves no orphan`,
  unit: 'storms',
  amount: { ci: 12, full: 1_200 },
  shows: { requests: 'requests', mostTimes: 'times the usual at most' },
  async run(context) {
    return withOneServer(async () => {
      const testbeds = await openTestbeds(context)
      const figures = { requests: 0, failed: 0, undisturbed: 0, mostTimes: 0 }
      const rounds = roundsOf(context)
      const calm = await countUndisturbed(context, testbeds, [...new Set(rounds.map(({ scenario }) => scenario))])
      await share(testbeds, rounds, context.signal, async (testbed, { scenario, seed }) => {
        const random = context.random.fork(`${scenario.name} ${seed}`)
        const seconds = 60 * (minutes.least + random.int(minutes.most - minutes.least))
        const weather = stormOn(testbed, { share: shareOfCalls, seconds, random })
        const breach = (text: string) => context.breach(`${scenario.name}, ${seconds} s of storm, seed ${seed}: ${text}`)
        const ended = await runScenario({ testbed, scenario, seed, trouble: weather.trouble, undisturbed: false, breach })
        const { requests, failed } = weather.counts()
        const usual = calm.get(scenario) ?? 0
        const times = requests / Math.max(usual, 1)
        if (times > mostTimes(seconds)) breach(`${requests} requests where ${usual} do, more than ${mostTimes(seconds)} times as many`)
        figures.requests += requests
        figures.failed += failed
        figures.undisturbed += usual
        figures.mostTimes = Math.max(figures.mostTimes, Math.round(times * 100) / 100)
        return ended
      })
      return { runs: rounds.length, figures: { scenarios: scenarios.length, ...figures } }
    })
  },
}

/**
 * How many times as often storage may be asked as without a storm. Work is tried again after 5 seconds, then after twice as long each time, so
 * that only so many attempts begin while it lasts; one follows it. What each of them has begun to write is deleted, and once more when nothing
 * can land there any more.
 */
const mostTimes = (seconds: number): number => {
  let attempts = 2
  for (let passed = backoffSeconds(1); passed < seconds; passed += backoffSeconds(attempts - 1)) attempts += 1
  return attempts
}

const roundsOf = ({ amount, random }: ProofContext): readonly Round[] => {
  const rounds: Round[] = []
  for (let lap = 0; rounds.length < amount; lap += 1)
    for (const scenario of random.shuffle(scenarios)) rounds.push({ scenario, seed: random.int(2 ** 31) })
  return rounds.slice(0, amount)
}

/** How many requests each of them makes when nothing goes wrong. */
const countUndisturbed = async (
  { breach, signal, seed, random }: ProofContext,
  testbeds: readonly Testbed[],
  played: readonly Scenario[],
): Promise<ReadonlyMap<Scenario, number>> => {
  const counts = new Map<Scenario, number>()
  await share(testbeds, played, signal, async (testbed, scenario) => {
    const weather = stormOn(testbed, { share: 0, seconds: 0, random })
    const told = (text: string) => breach(`${scenario.name} undisturbed: ${text}`)
    const ended = await runScenario({ testbed, scenario, seed, trouble: weather.trouble, undisturbed: true, breach: told })
    counts.set(scenario, weather.counts().requests)
    return ended
  })
  return counts
}
