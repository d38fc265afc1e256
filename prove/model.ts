import { join } from 'node:path'
import { engineNamed, withOneServer } from './database.ts'
import type { Proof, ProofContext } from './harness.ts'
import { type Configuration, configurations, endless, walkedWorlds, withoutRule, withRule } from './model/configurations.ts'
import { type Breach, explore } from './model/explore.ts'
import { walkInLockstep } from './model/real/lockstep.ts'
import { openWorld } from './model/real/world.ts'
import { allRuleNames, ruleNames, type Setup } from './model/setup.ts'
import { walk } from './model/walk.ts'
import { wayInWords } from './model/words.ts'

const walkLength = 60
const aloneLength = 300
const mostStates = 1_500_000
/** For each walk that the flows are taken along, so many through the model alone, on and on. */
const alonePerWalk = 20

/**
 * The protocols by which uploads are verified, taken through the gate, built, attached and purged, as a model of rows, bytes and time. Explored
 * to its end in small worlds, walked at random in large ones; each rule left out in turn breaks it; and the real flows are taken along the same
 * walks, held at each call to storage, and compared row by row: on PostgreSQL alone, since the journeys take every flow to the other engines.
 */
export const model: Proof = {
  name: 'model',
  means: 'the protocols keep their promises in every order of steps, need each of their rules, and are what the flows do',
  unit: 'walks through the flows',
  amount: { ci: 4, full: 400 },
  shows: {
    stepsCompared: 'steps compared on PostgreSQL',
    states: 'states explored',
    rulesNeeded: 'of ten rules left out, each to a breach',
  },
  async run(context) {
    const rules = await leaveOutRules(context)
    const explored = await exploreAll(context)
    const alone = walkAlone(context)
    const together = await walkTogether(context)
    return {
      runs: together.walks,
      figures: {
        rulesNeeded: rules,
        states: explored.states,
        transitions: explored.transitions,
        ...explored.byName,
        walksAlone: alone.walks,
        stepsAlone: alone.steps,
        stepsCompared: together.steps,
      },
    }
  },
}

const textOf = ({ problem, actions }: Breach): string => `${problem}${wayInWords(actions)}`

/** @returns how many rules were found to be needed. */
const leaveOutRules = async ({ breach, note, signal }: ProofContext): Promise<number> => {
  const limits = { states: 100_000, endOfEvery: 1, signal }
  let needed = 0
  for (const rule of allRuleNames) {
    const having = await explore(withRule(rule), limits)
    if (having.breach) breach(`with all rules: ${textOf(having.breach)}`)
    if (!having.isComplete) breach(`the world of rule ${ruleNames[rule]} is larger than ${limits.states} states`)
    const { breach: found } = await explore(withoutRule(rule), limits)
    if (!found) breach(`nothing is broken without rule ${ruleNames[rule]}`)
    else needed += 1
    if (found) note(`without rule ${ruleNames[rule]}: ${textOf(found)}`)
  }
  return needed
}

interface AllExplored {
  readonly states: number
  readonly transitions: number
  readonly byName: Readonly<Record<string, number>>
}

const exploreAll = async (context: ProofContext): Promise<AllExplored> => {
  const all: Record<string, number> = {}
  let transitions = 0
  for (const configuration of configurations) {
    const { states, steps } = await exploreOne(context, configuration)
    all[figureOf(configuration.name)] = states
    transitions += steps
  }
  return { states: Object.values(all).reduce((sum, states) => sum + states, 0), transitions, byName: all }
}

/** 'gate, strict' → `statesGateStrict`. */
const figureOf = (name: string): string => `states${name.replace(/(^|\W+)(\w)/g, (_, __, letter: string) => letter.toUpperCase())}`

const exploreOne = async (context: ProofContext, { name, setup, small }: Configuration): Promise<{ states: number; steps: number }> => {
  const { size, breach, note, signal } = context
  const bounded: Setup = size === 'full' ? setup : { ...setup, budget: { ...setup.budget, ...small } }
  const began = performance.now()
  const explored = await explore(bounded, { states: mostStates, endOfEvery: 1, signal })
  if (explored.breach) breach(`in ${name}: ${textOf(explored.breach)}`)
  else if (!explored.isComplete) breach(`${name} was not explored to its end: ${explored.states} states`)
  note(`${name}: ${explored.states} states, ${explored.steps} transitions, ${((performance.now() - began) / 1000).toFixed(1)} s`)
  return explored
}

const walkAlone = ({ amount, random, breach }: ProofContext): { readonly walks: number; readonly steps: number } => {
  const walks = amount * alonePerWalk
  for (let index = 0; index < walks; index += 1) {
    const setup = walkedWorlds[index % walkedWorlds.length] ?? endless
    const { breach: found } = walk(setup, random.fork(`alone ${index}`), aloneLength)
    if (found) breach(`in walk ${index} through the model: ${textOf(found)}`)
  }
  return { walks, steps: walks * aloneLength }
}

const walkTogether = async (context: ProofContext): Promise<{ readonly walks: number; readonly steps: number }> => {
  const { amount, random, breach, note, folder, signal } = context
  const began = performance.now()
  let [walks, steps] = [0, 0]
  const walkIn = async (setup: Setup, first: number): Promise<void> => {
    const world = await openWorld(engineNamed('postgres'), setup, join(folder, `world${first}`))
    try {
      for (let index = first; index < amount && !signal.aborted; index += walkedWorlds.length) {
        const walked = await walkInLockstep(world, setup, random.fork(`together ${index}`), walkLength)
        walks += 1
        steps += walked.steps
        if (walked.breach !== null) breach(`in walk ${index} of model and flows: ${walked.breach}`)
      }
    } finally {
      await world.close()
    }
  }
  await withOneServer(() => Promise.all(walkedWorlds.slice(0, amount).map(walkIn)))
  note(`${walks} walks, ${steps} steps compared on PostgreSQL, ${((performance.now() - began) / 1000).toFixed(1)} s`)
  return { walks, steps }
}
