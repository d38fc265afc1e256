import { nextLook, pass, stepOf } from './actions.ts'
import { breachesOf, unrestOf } from './breaches.ts'
import { land } from './bucket.ts'
import { canonical, hashOf } from './canonical.ts'
import { claim } from './gate.ts'
import { beginDelete, purgeJob } from './purge.ts'
import type { Setup } from './setup.ts'
import { settleSlots } from './slots.ts'
import { draftOf, type State } from './state.ts'
import { sweep } from './sweep.ts'
import { claimBuild } from './variants.ts'

/** From nowhere should it take more looks of the sweep. */
const mostLooks = 80

/**
 * Everybody dies, the queue loses every job, and what is on its way lands, or does not. From here on storage answers, one sweeper looks
 * whenever something is due and one worker does what it asks for: does all of it come to an end, and is that as an end has to be?
 *
 * @param known states from which it does, as hashes; those that it meets are added
 */
export const troubleAtEnd = (from: State, setup: Setup, known: Set<number>): string[] => {
  const lands = from.late.length > 0 ? [false, true] : [false]
  for (const hasLanded of lands) {
    const state = draftOf(from)
    state.actors = []
    state.tickets = []
    while (hasLanded && state.late.length > 0) land(state, setup, 0)
    state.late = []
    const trouble = toItsEnd(state, setup, known)
    if (trouble.length > 0) return trouble.map((one) => `were everybody to die and every job to be lost: ${one}`)
  }
  return []
}

const toItsEnd = (state: State, setup: Setup, known: Set<number>): string[] => {
  const met: number[] = []
  for (let look = 0; look < mostLooks; look += 1) {
    const hash = hashOf(canonical(state, setup, false))
    if (known.has(hash)) break
    met.push(hash)
    work(state, setup)
    const breaches = breachesOf(state)
    if (breaches.length > 0) return breaches
    const next = nextLook(state)
    if (next === null) {
      const unrest = unrestOf(state)
      if (unrest.length > 0) return unrest
      break
    }
    pass(state, next - state.now)
    if (look === mostLooks - 1)
      return unrestOf(state).map((unrest) => unrest.replace('nothing is due', `after ${mostLooks} looks of the sweep`))
  }
  for (const hash of met) known.add(hash)
  return []
}

/** One look of the sweep, and every job that it wakes. */
const work = (state: State, setup: Setup): void => {
  const jobs = sweep(state, setup)
  const begin = (run: () => void): void => {
    run()
    for (const actor of state.actors) while (!stepOf(state, setup, actor, 'now'));
    state.actors = []
  }
  for (const life of jobs.promote) begin(() => claim(state, setup, life))
  for (const life of jobs.build) begin(() => claimBuild(state, setup, life))
  for (const life of jobs.settle) settleSlots(state, life)
  for (const life of jobs.purge) begin(() => purgeJob(state, setup, life))
  for (const key of jobs.delete) begin(() => beginDelete(state, key))
}
