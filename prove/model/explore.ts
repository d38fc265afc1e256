import { type Action, apply, enabled } from './actions.ts'
import { breachesOf } from './breaches.ts'
import { canonical, hashOf } from './canonical.ts'
import { troubleAtEnd } from './quiet.ts'
import type { Setup } from './setup.ts'
import type { State } from './state.ts'
import { openUploads } from './upload.ts'

export interface Breach {
  readonly problem: string
  /** The shortest way there. */
  readonly actions: readonly Action[]
}

export interface Explored {
  readonly states: number
  readonly steps: number
  /** False where a limit ended it first. */
  readonly isComplete: boolean
  readonly breach: Breach | null
}

export interface Limits {
  readonly states: number
  /** Where only one state in so many is followed to its end. */
  readonly endOfEvery: number
  readonly signal?: AbortSignal
}

/** Where a state came from: the number of the state before, and of the action among those that were enabled there. */
interface Trail {
  readonly parents: number[]
  readonly choices: number[]
}

const stepsBetweenBreaths = 20_000

/** Goes through every state that can be reached, nearest first, until a promise is broken. */
export const explore = async (setup: Setup, limits: Limits): Promise<Explored> => {
  const first = openUploads(setup)
  const seen = new Set<number>([hashOf(canonical(first, setup, true))])
  const quiet = new Set<number>()
  const trail: Trail = { parents: [-1], choices: [-1] }
  let layer: { readonly state: State; readonly number: number }[] = [{ state: first, number: 0 }]
  let steps = 0
  const outcome = (isComplete: boolean, breach: Breach | null = null): Explored => ({ states: seen.size, steps, isComplete, breach })

  while (layer.length > 0) {
    const next: typeof layer = []
    for (const { state, number } of layer) {
      const actions = enabled(state, setup)
      for (let choice = 0; choice < actions.length; choice += 1) {
        const action = actions[choice]
        if (!action) continue
        steps += 1
        if (steps % stepsBetweenBreaths === 0) await new Promise((resolve) => setImmediate(resolve))
        const after = apply(state, action, setup)
        const hash = hashOf(canonical(after, setup, true))
        if (seen.has(hash)) continue
        seen.add(hash)
        trail.parents.push(number)
        trail.choices.push(choice)
        const reached = trail.parents.length - 1
        const problems = breachesOf(after)
        const isFollowed = hash % limits.endOfEvery === 0
        const [problem] = problems.length > 0 || !isFollowed ? problems : troubleAtEnd(after, setup, quiet)
        if (problem !== undefined) return outcome(false, { problem, actions: wayTo(reached, trail, setup) })
        if (seen.size >= limits.states || limits.signal?.aborted === true) return outcome(false)
        next.push({ state: after, number: reached })
      }
    }
    layer = next
  }
  return outcome(true)
}

const wayTo = (reached: number, { parents, choices }: Trail, setup: Setup): Action[] => {
  const chosen: number[] = []
  for (let at = reached; at > 0; at = parents[at] ?? 0) chosen.unshift(choices[at] ?? 0)
  let state = openUploads(setup)
  return chosen.flatMap((choice) => {
    const action = enabled(state, setup)[choice]
    if (!action) return []
    state = apply(state, action, setup)
    return [action]
  })
}
