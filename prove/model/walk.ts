import type { Random } from '../harness.ts'
import { type Action, apply } from './actions.ts'
import { breachesOf } from './breaches.ts'
import type { Breach } from './explore.ts'
import { troubleAtEnd } from './quiet.ts'
import { chooseAction } from './choose.ts'
import type { Setup } from './setup.ts'
import { openUploads } from './upload.ts'

/** Walks at random through the model alone, farther than anything that is explored, and asks on the way whether all would come to its end. */
export const walk = (setup: Setup, random: Random, length: number): { readonly breach: Breach | null } => {
  let state = openUploads(setup)
  const actions: Action[] = []
  for (let step = 0; step < length; step += 1) {
    const action = chooseAction(state, setup, random)
    actions.push(action)
    state = apply(state, action, setup)
    const isAsked = step % endOfEvery === 0 || step === length - 1
    const [problem] = [...breachesOf(state), ...(isAsked ? troubleAtEnd(state, setup, new Set()) : [])]
    if (problem !== undefined) return { breach: { problem, actions } }
  }
  return { breach: null }
}

const endOfEvery = 16
