import { doomWhere, lifeOf, objectAt, reserve } from './rows.ts'
import type { Setup } from './setup.ts'
import { isDue, isOpen, type State, type Verifier } from './state.ts'

/** Opens every upload of a setup. */
export const openUploads = (setup: Setup): State => {
  const { durations, budget } = setup
  const state: State = {
    ...{ now: 0, lives: [], objects: [], attachments: [], bucket: {}, late: [], tickets: [], actors: [], ids: 0 },
    left: { ...budget },
  }
  for (let life = 0; life < setup.lives; life += 1) {
    const key = `s${life}.1`
    state.lives.push({
      asset: { state: 'staged', fence: 0, revision: 0, due: null, object: null, passed: false, gated: null },
      session: { state: 'initialized', object: key, due: durations.session, expires: durations.session },
      ...{ variant: null, runs: [], keys: 1 },
    })
    reserve(state, key, life, 0)
  }
  return state
}

export const maySign = (state: State, life: number): boolean => {
  const { asset, session } = lifeOf(state, life)
  return asset?.state === 'staged' && isOpen(session) && session.expires > state.now
}

/** The ticket's end is on record before the ticket exists. */
export const sign = (state: State, { durations }: Setup, life: number): void => {
  const { session } = lifeOf(state, life)
  const object = objectAt(state, session?.object ?? null)
  if (!maySign(state, life) || !session || object?.state !== 'reserved') return
  const end = Math.min(state.now + durations.ticket, session.expires)
  session.state = 'signed'
  object.watch = Math.max(object.watch ?? 0, end + durations.signedWatch)
  const known = state.tickets.find(({ key }) => key === object.key)
  if (known) known.end = end
  else state.tickets.push({ key: object.key, end })
}

/** What a call of verify sees at first; null where it ends with that. */
const lookAt = (state: State, life: number): Pick<Verifier, 'session' | 'key'> | null => {
  const { session } = lifeOf(state, life)
  if (session?.state !== 'signed' || session.object === null || session.expires <= state.now) return null
  return { session: session.state, key: session.object }
}

export const mayVerify = (state: State, life: number): boolean => lookAt(state, life) !== null

export const beginVerify = (state: State, life: number): void => {
  const look = lookAt(state, life)
  if (!look) return
  state.ids += 1
  state.actors.push({ who: 'verifier', id: state.ids, life, at: 'head', ...look, found: null })
}

/** @returns true when it is over. */
export const stepVerifier = (state: State, setup: Setup, one: Verifier): boolean => {
  if (one.at === 'accept') return accept(state, setup, one.life)
  if (one.at === 'head') {
    one.found = state.bucket[one.key] ?? null
    one.at = 'settle'
    return one.found === null
  }
  return one.found === 'w' ? beginAgain(state, setup, one) : complete(state, setup, one)
}

/** What it looked at is not as it was: it looks again. */
const lookAgain = (state: State, one: Verifier): boolean => {
  const look = lookAt(state, one.life)
  if (look) Object.assign(one, look, { at: 'head', found: null })
  return look === null
}

const complete = (state: State, setup: Setup, one: Verifier): boolean => {
  const { asset, session } = lifeOf(state, one.life)
  const object = objectAt(state, one.key)
  const holds = asset?.state === 'staged' && session?.state === one.session && session.object === one.key && object?.state === 'reserved'
  if (!holds) return lookAgain(state, one)
  Object.assign(object, { state: 'present', etag: one.found, due: null, since: state.now })
  Object.assign(session, { state: 'completed', object: null, due: state.now + setup.durations.endedSession })
  if (setup.rules.oneStatement) return accept(state, setup, one.life)
  one.at = 'accept'
  return false
}

const accept = (state: State, { durations, rules }: Setup, life: number): boolean => {
  const { asset } = lifeOf(state, life)
  if (asset?.state !== 'staged') return true
  Object.assign(asset, { state: 'validating', revision: asset.revision + 1, due: rules.due ? state.now + durations.wakeUp : null })
  return true
}

/** What landed is wrong: its key is doomed and a fresh one reserved. */
const beginAgain = (state: State, setup: Setup, one: Verifier): boolean => {
  const life = lifeOf(state, one.life)
  const { asset, session } = life
  const wrong = objectAt(state, one.key)
  const holds = asset?.state === 'staged' && session?.state === one.session && session.object === one.key && wrong?.state === 'reserved'
  if (!holds) return lookAgain(state, one)
  doomWhere(state, setup, state.now + setup.durations.wakeUp, (row) => row === wrong)
  life.keys += 1
  session.object = `s${one.life}.${life.keys}`
  reserve(state, session.object, one.life, 0)
  return true
}

/** Ends an open upload: by its owner, or by the sweep when its time is up. */
export const endUpload = (state: State, setup: Setup, life: number, how: 'aborted' | 'expired'): void => {
  const { asset, session } = lifeOf(state, life)
  const { durations } = setup
  if (asset?.state !== 'staged' || !isOpen(session) || (how === 'expired' && !isDue(session.due, state.now))) return
  const residue = state.now + durations.residue
  Object.assign(asset, { state: 'deleted', revision: asset.revision + 1, due: residue })
  Object.assign(session, { state: how, object: null, due: state.now + durations.endedSession })
  doomWhere(state, setup, residue, (row) => row.key.startsWith(`s${life}.`))
}
