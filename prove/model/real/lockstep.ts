import type { Random } from '../../harness.ts'
import { type Action, apply, nextLook } from '../actions.ts'
import { breachesOf, unrestOf } from '../breaches.ts'
import { chooseAction } from '../choose.ts'
import type { Setup } from '../setup.ts'
import { draftOf, type State } from '../state.ts'
import { sweep } from '../sweep.ts'
import { openUploads } from '../upload.ts'
import { wayInWords } from '../words.ts'
import { beginPlay, perform, type Play } from './perform.ts'
import { differences, linesOfModel, linesOfWorld } from './project.ts'
import type { World } from './world.ts'

export interface Walked {
  readonly steps: number
  /** What went apart, or was broken, and the way there; null when nothing was. */
  readonly breach: string | null
}

const mostLooks = 120

/** Walks at random through model and flows at once, then lets both come to their end, and compares them after every step. */
export const walkInLockstep = (world: World, setup: Setup, random: Random, length: number): Promise<Walked> =>
  goInLockstep(world, setup, (state, step) => (step < length ? chooseAction(state, setup, random) : null))

/** The same along a way that is given: what comes next, or null for the end. */
export const goInLockstep = async (world: World, setup: Setup, choose: (state: State, step: number) => Action | null): Promise<Walked> => {
  const play = await beginPlay(world, setup)
  const done: Action[] = []
  let state = openUploads(setup)
  const go = async (action: Action): Promise<string[]> => {
    const before = state
    state = apply(before, action, setup)
    done.push(action)
    return goTogether(play, action, before, state)
  }
  const said = (problems: readonly string[]): Walked => ({
    steps: done.length,
    breach: `${problems.join('\n    ')}${wayInWords(done)}`,
  })
  for (let action = choose(state, 0); action; action = choose(state, done.length)) {
    const problems = await go(action)
    if (problems.length > 0) return said(problems)
  }
  for (const { id } of state.actors) {
    const problems = await go({ do: 'kill', actor: id, isSent: false })
    if (problems.length > 0) return said(problems)
  }
  for (let look = 0; look < mostLooks; look += 1) {
    for (const action of jobsAt(state, setup)) {
      const problems = await goToEnd(action, () => state, go)
      if (problems.length > 0) return said(problems)
    }
    const next = nextLook(state)
    if (next === null) break
    const problems = await go({ do: 'tick', seconds: next - state.now })
    if (problems.length > 0) return said(problems)
  }
  const unrest = unrestOf(state)
  return unrest.length > 0 ? said(unrest) : { steps: done.length, breach: null }
}

const goTogether = async (play: Play, action: Action, before: State, after: State): Promise<string[]> => {
  try {
    await perform(play, action, before, after)
  } catch (err) {
    return [`the flows did not do it: ${err instanceof Error ? (err.stack ?? err.message) : String(err)}`]
  }
  const found = await linesOfWorld(play.world, play.names, play.start)
  return [...play.surprises, ...differences(linesOfModel(after), found), ...breachesOf(after)]
}

/** A look of the sweep, and what it wakes. */
const jobsAt = (state: State, setup: Setup): Action[] => {
  const { promote, build, settle, purge, delete: gone } = sweep(draftOf(state), setup)
  return [
    { do: 'sweep' },
    ...promote.map((life): Action => ({ do: 'claim', life })),
    ...build.map((life): Action => ({ do: 'build', life })),
    ...settle.map((life): Action => ({ do: 'settleSlots', life })),
    ...purge.map((life): Action => ({ do: 'purgeJob', life })),
    ...gone.map((key): Action => ({ do: 'delete', key })),
  ]
}

/** Does it, and all that whoever begins it has to do until it is over. */
const goToEnd = async (action: Action, stateNow: () => State, go: (action: Action) => Promise<string[]>): Promise<string[]> => {
  const problems = await go(action)
  if (problems.length > 0) return problems
  const [actor] = stateNow().actors
  return actor ? goToEnd({ do: 'step', actor: actor.id, landing: 'now' }, stateNow, go) : []
}
