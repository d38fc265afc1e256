import { doomWhere, endRuns, lifeOf, objectAt } from './rows.ts'
import type { Landing } from './bucket.ts'
import { send } from './bucket.ts'
import type { Setup } from './setup.ts'
import { type AssetRow, type Deleter, isDue, isOpen, type Purger, type State } from './state.ts'

const isHeld = (state: State, life: number): boolean => state.attachments.some((row) => row.life === life && row.standing !== 'released')

/** What an app asks for. Nothing happens while a slot shows the asset. */
export const purge = (state: State, setup: Setup, life: number): void => {
  const { asset } = lifeOf(state, life)
  if (!asset || asset.state === 'deleted' || isHeld(state, life)) return
  takeReleased(state, life)
  beginDoom(state, setup, life)
}

const takeReleased = (state: State, life: number): boolean => {
  const before = state.attachments.length
  state.attachments = state.attachments.filter((row) => row.life !== life || row.standing !== 'released')
  return state.attachments.length < before
}

/** Where nobody locks before looking, something may happen between the look and what follows from it. */
const beginDoom = (state: State, setup: Setup, life: number): void => {
  if (setup.rules.lockFirst) return doomAsset(state, setup, life)
  state.actors.push({ who: 'purger', id: ++state.ids, at: 'doom', life })
}

/** @returns true: it is over. */
export const stepPurger = (state: State, setup: Setup, { life }: Purger): true => {
  doomAsset(state, setup, life)
  return true
}

const doomAsset = (state: State, setup: Setup, lifeNumber: number): void => {
  const life = lifeOf(state, lifeNumber)
  const { asset, session } = life
  if (!asset || asset.state === 'deleted') return
  const { durations, rules } = setup
  const later = state.now + durations.wakeUp
  Object.assign(asset, {
    state: 'deleted',
    fence: asset.fence + 1,
    revision: asset.revision + 1,
    object: null,
    due: rules.due ? later : null,
  })
  if (isOpen(session)) Object.assign(session, { state: 'aborted', object: null, due: state.now + durations.endedSession })
  dropAll(state, setup, lifeNumber)
  endRuns(life, 'failed', 'lease_lost', () => true)
}

const dropAll = (state: State, setup: Setup, lifeNumber: number): void => {
  const { variant } = lifeOf(state, lifeNumber)
  if (variant && variant.state !== 'purged') Object.assign(variant, { state: 'purged', fence: variant.fence + 1, object: null, due: null })
  doomWhere(state, setup, state.now + setup.durations.wakeUp, (row) => row.life === lifeNumber)
}

/** The job that looks whether an asset may go, and takes its rows away once the last of its objects is gone. */
export const purgeJob = (state: State, setup: Setup, life: number): void => {
  const { asset } = lifeOf(state, life)
  if (!asset) return
  if (asset.state === 'deleted') forget(state, setup, life)
  else consider(state, setup, life, asset)
}

const consider = (state: State, setup: Setup, life: number, asset: AssetRow): void => {
  const isKept = asset.state === 'quarantined' && asset.object !== null
  const isTime = isDue(asset.due, state.now + setup.durations.wakeUp)
  if (isKept && asset.due !== null && !isTime) {
    for (const row of state.attachments) if (row.life === life && row.standing === 'released') row.due = asset.due
    return
  }
  const hadReleased = takeReleased(state, life)
  if (!isHeld(state, life) && (hadReleased || asset.state === 'quarantined')) return beginDoom(state, setup, life)
  if (!isKept) return
  Object.assign(asset, { fence: asset.fence + 1, revision: asset.revision + 1, object: null, due: null })
  dropAll(state, setup, life)
}

const forget = (state: State, { durations, rules }: Setup, lifeNumber: number): void => {
  const life = lifeOf(state, lifeNumber)
  const { asset, session } = life
  if (!asset) return
  const sessionDue = session?.due !== null && session?.due !== undefined && session.due > state.now ? session.due : null
  const objects = state.objects.filter((row) => row.life === lifeNumber)
  if (objects.length === 0 && sessionDue === null) {
    Object.assign(life, { asset: null, session: null, variant: null, runs: [] })
    state.attachments = state.attachments.filter((row) => row.life !== lifeNumber || row.standing !== 'released')
    return
  }
  const dues = [...objects.map(({ due }) => due), sessionDue].filter((due) => due !== null)
  asset.due = rules.due ? Math.max(Math.min(...dues), state.now + durations.wakeUp) : null
}

export const mayDelete = (state: State, key: string): boolean => {
  const object = objectAt(state, key)
  if (object?.state === 'doomed') return true
  return object?.state === 'watched' && !(object.watch !== null && object.watch > state.now)
}

export const beginDelete = (state: State, key: string): void => {
  const object = objectAt(state, key)
  if (!object || !mayDelete(state, key)) return
  const { watch, since } = object
  state.actors.push({
    who: 'deleter',
    id: ++state.ids,
    at: 'delete',
    key,
    state: object.state,
    watch,
    since,
    begun: state.now,
    isGone: false,
  })
}

/** @returns true when it is over. */
export const stepDeleter = (state: State, setup: Setup, one: Deleter, landing: Landing): boolean => {
  const { durations, rules } = setup
  if (one.at === 'delete') {
    const call = { op: 'delete', key: one.key, from: null, bytes: null, isClient: false } as const
    one.isGone = send(state, setup, call, landing, state.now + durations.ownWatch) === true
    one.at = 'settle'
    return false
  }
  const object = objectAt(state, one.key)
  if (object?.state !== one.state) return true
  if (!one.isGone) {
    object.due = state.now + Math.min(durations.lastDelay, Math.max(durations.firstDelay, state.now - one.since))
    return true
  }
  const mustWatch = (watch: Deleter['watch']): boolean => rules.watch && watch !== null && watch > one.begun
  if (mustWatch(one.watch)) {
    if (object.state === 'doomed' && mustWatch(object.watch))
      Object.assign(object, { state: 'watched', due: object.watch, since: state.now })
  } else if (!mustWatch(object.watch)) state.objects = state.objects.filter((row) => row !== object)
  return true
}
