import type { Random } from '../harness.ts'
import { type Action, enabled, nextMoment } from './actions.ts'
import type { Setup } from './setup.ts'
import type { State } from './state.ts'

/** How often each kind of action is chosen, where it is enabled. */
const weights: Readonly<Record<Action['do'], number>> = {
  ...{ sign: 4, put: 6, land: 4, verify: 6, cancel: 0.3, claim: 8, build: 6, delete: 3, step: 20, beat: 3, kill: 1.5, sweep: 4 },
  ...{ purgeJob: 1.5, settleSlots: 3, purge: 0.3, release: 2, attach: 2, detach: 0.7, tick: 5 },
}

const jumps = [11, 31, 61, 901, 3_661, 90_000]

/** Draws what happens next: kinds by their weight, and calls that simply take effect before those that do not. */
export const chooseAction = (state: State, setup: Setup, random: Random): Action => {
  if (random.chance(0.05)) return hint(state, setup, random)
  const next = nextMoment(state)
  const far = jumps[Math.min(random.int(jumps.length), random.int(jumps.length))] ?? 11
  const actions = enabled(state, setup, [next === null || random.chance(0.3) ? far : next - state.now])
  const kinds = [...new Set(actions.map((action) => action.do))]
  let dice = random.next() * kinds.reduce((sum, kind) => sum + weights[kind], 0)
  const kind = kinds.find((one) => (dice -= weights[one]) < 0) ?? 'tick'
  const ofKind = actions.filter((action) => action.do === kind)
  const plain = ofKind.filter((action) => !('landing' in action && action.landing !== 'now') && !('isSent' in action && action.isSent))
  return random.pick(plain.length > 0 && random.chance(0.7) ? plain : ofKind)
}

/** A job or a call that may come for nothing: doubled, late, or about what is gone. */
const hint = (state: State, { lives }: Setup, random: Random): Action => {
  const life = random.int(lives)
  const kind = random.pick(['claim', 'build', 'verify', 'delete', 'settleSlots', 'purgeJob'] as const)
  if (kind !== 'delete') return { do: kind, life }
  return state.objects.length > 0 ? { do: 'delete', key: random.pick(state.objects).key } : { do: 'sweep' }
}
