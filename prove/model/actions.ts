import { land, type Landing, send } from './bucket.ts'
import { beat, claim, mayClaim, mayRelease, release, sendOff, stepGate, writesLandUntil } from './gate.ts'
import { beginDelete, mayDelete, purge, purgeJob, stepDeleter, stepPurger } from './purge.ts'
import { lifeOf } from './rows.ts'
import type { BudgetName, Sent, Setup } from './setup.ts'
import { attach, detach, mayAttach, settleSlots } from './slots.ts'
import { type Actor, draftOf, isDue, isOpen, type State, type Worker } from './state.ts'
import { sweep } from './sweep.ts'
import { beginVerify, endUpload, maySign, mayVerify, sign, stepVerifier } from './upload.ts'
import { claimBuild, mayBuild, stepBuild, stepPut } from './variants.ts'

/** What anybody may do next. `isSent`: what the actor was about to write is on its way, and lands when it likes. */
export type Action =
  | {
      readonly do: 'sign' | 'verify' | 'cancel' | 'claim' | 'build' | 'purgeJob' | 'settleSlots' | 'purge' | 'release'
      readonly life: number
    }
  | { readonly do: 'put'; readonly key: string; readonly bytes: Sent; readonly landing: Landing }
  | { readonly do: 'land'; readonly index: number }
  | { readonly do: 'delete'; readonly key: string }
  | { readonly do: 'step'; readonly actor: number; readonly landing: Landing }
  | { readonly do: 'beat' | 'kill'; readonly actor: number; readonly isSent: boolean }
  | { readonly do: 'sweep' }
  | { readonly do: 'attach'; readonly life: number; readonly slot: number }
  | { readonly do: 'detach'; readonly slot: number }
  | { readonly do: 'tick'; readonly seconds: number }

const landings: readonly Landing[] = ['now', 'unseen', 'late', 'never']

const spends: Readonly<Record<Action['do'], BudgetName | null>> = {
  ...{ sign: 'sign', verify: 'verify', cancel: 'cancel', claim: 'claim', build: 'build', purgeJob: 'purgeJob', settleSlots: 'settle' },
  ...{
    release: 'release',
    purge: 'purge',
    put: 'put',
    land: null,
    delete: 'delete',
    step: null,
    beat: 'beat',
    kill: 'kill',
    sweep: 'sweep',
  },
  ...{ attach: 'attach', detach: 'detach', tick: 'tick' },
}

/** Every action that changes something. `ticks`: how far time may go at once; without them, to the next moment that matters. */
export const enabled = (state: State, setup: Setup, ticks: readonly number[] | null = null): Action[] => {
  const { left } = state
  const found: Action[] = []
  const add = (action: Action): void => {
    const name = spends[action.do]
    if (name === null || left[name] > 0) found.push(action)
  }
  state.lives.forEach((_, life) => addOfLife(state, setup, life, add))
  for (const { key, end } of state.tickets) {
    if (end <= state.now) continue
    for (const bytes of setup.sends) for (const landing of landingsLeft(state)) add({ do: 'put', key, bytes, landing })
  }
  state.late.forEach((_, index) => add({ do: 'land', index }))
  for (const actor of state.actors) addOfActor(state, setup, actor, add)
  const isRoom = state.actors.length < setup.actors
  for (const { key } of state.objects) {
    const isAtIt = state.actors.some((actor) => actor.who === 'deleter' && actor.key === key)
    if (isRoom && !isAtIt && mayDelete(state, key)) add({ do: 'delete', key })
  }
  add({ do: 'sweep' })
  for (let slot = 0; slot < setup.slots; slot += 1) {
    state.lives.forEach((_, life) => mayAttach(state, life) && add({ do: 'attach', life, slot }))
    if (state.attachments.some((row) => row.slot === slot && row.standing !== 'released')) add({ do: 'detach', slot })
  }
  const moment = nextMoment(state)
  const seconds = ticks ?? (moment === null ? [] : [moment - state.now])
  for (const one of seconds) add({ do: 'tick', seconds: one })
  return found
}

const landingsLeft = (state: State): readonly Landing[] => (state.left.fault > 0 ? landings : ['now'])

const addOfLife = (state: State, setup: Setup, life: number, add: (action: Action) => void): void => {
  const { session, asset } = lifeOf(state, life)
  const isRoom = state.actors.length < setup.actors
  if (maySign(state, life)) add({ do: 'sign', life })
  if (isRoom && mayVerify(state, life)) add({ do: 'verify', life })
  if (asset?.state === 'staged' && isOpen(session)) add({ do: 'cancel', life })
  if (isRoom && mayClaim(state, life)) add({ do: 'claim', life })
  if (isRoom && mayBuild(state, life)) add({ do: 'build', life })
  if (asset) add({ do: 'purgeJob', life })
  if (asset && state.attachments.some((row) => row.life === life && row.due !== null)) add({ do: 'settleSlots', life })
  if (asset && asset.state !== 'deleted') add({ do: 'purge', life })
  if (mayRelease(state, life)) add({ do: 'release', life })
}

const addOfActor = (state: State, setup: Setup, actor: Actor, add: (action: Action) => void): void => {
  const { id } = actor
  const isWriting = actor.who === 'worker' ? actor.at === 'copy' || actor.at === 'put' : actor.who === 'deleter' && actor.at === 'delete'
  const isTooLate = actor.who === 'worker' && isWriting && state.now > writesLandUntil(actor, setup)
  const canBeSent = isWriting && state.left.fault > 0 && !isTooLate
  for (const landing of isWriting ? landingsLeft(state) : landings.slice(0, 1)) {
    if (!isTooLate || landing === 'never') add({ do: 'step', actor: id, landing })
  }
  if (actor.who !== 'verifier' || actor.at === 'accept')
    for (const isSent of canBeSent ? [false, true] : [false]) add({ do: 'kill', actor: id, isSent })
  if (actor.who !== 'worker' || state.now < actor.renewAt || !beats.includes(actor.at)) return
  const isOver = actor.heldUntil <= state.now
  for (const isSent of canBeSent && isOver ? [false, true] : [false]) add({ do: 'beat', actor: id, isSent })
}

/** Where a worker may stand for long: elsewhere it goes on at once, or not at all. */
const beats: readonly Worker['at'][] = ['copy', 'recheck', 'read', 'judge', 'put']

/** When the next thing becomes possible, or due. */
export const nextMoment = (state: State): number | null => {
  let next: number | null = null
  const at = (moment: number | null | undefined): void => {
    if (moment !== null && moment !== undefined && moment > state.now && (next === null || moment < next)) next = moment
  }
  for (const { asset, session, variant } of state.lives) {
    at(asset?.due)
    at(session?.due)
    if (isOpen(session)) at(session.expires)
    at(variant?.due)
  }
  for (const { due, watch } of state.objects) {
    at(due)
    at(watch)
  }
  for (const { due } of state.attachments) at(due)
  for (const { end } of state.tickets) at(end)
  for (const actor of state.actors) {
    if (actor.who !== 'worker') continue
    at(actor.heldUntil)
    at(actor.renewAt)
  }
  return next
}

/** When the sweep has to look again: at the next moment, or soon where something is due already. */
export const nextLook = (state: State): number | null => {
  const dues = [...state.lives.flatMap((life) => [life.asset, life.session, life.variant]), ...state.objects, ...state.attachments]
  return nextMoment(state) ?? (dues.some((row) => isDue(row?.due ?? null, state.now)) ? state.now + 1 : null)
}

/** What is after an action. The state before stays what it was. */
export const apply = (before: State, action: Action, setup: Setup): State => {
  const state = draftOf(before)
  const name = spends[action.do]
  if (name !== null) state.left[name] -= 1
  if ('landing' in action && action.landing !== 'now') state.left.fault -= 1
  if ('isSent' in action && action.isSent) state.left.fault -= 1
  perform(state, action, setup)
  return state
}

const perform = (state: State, action: Action, setup: Setup): void => {
  switch (action.do) {
    case 'sign':
      return sign(state, setup, action.life)
    case 'verify':
      return beginVerify(state, action.life)
    case 'cancel':
      return endUpload(state, setup, action.life, 'aborted')
    case 'claim':
      return claim(state, setup, action.life)
    case 'build':
      return claimBuild(state, setup, action.life)
    case 'purgeJob':
      return purgeJob(state, setup, action.life)
    case 'settleSlots':
      return settleSlots(state, action.life)
    case 'purge':
      return purge(state, setup, action.life)
    case 'release':
      return release(state, setup, action.life)
    case 'put':
      return put(state, setup, action)
    case 'land':
      return land(state, setup, action.index)
    case 'delete':
      return beginDelete(state, action.key)
    case 'step':
      return step(state, setup, action.actor, action.landing)
    case 'beat':
      return beatOf(state, setup, action.actor, action.isSent)
    case 'kill':
      return kill(state, setup, action.actor, action.isSent)
    case 'sweep':
      return void sweep(state, setup)
    case 'attach':
      return attach(state, setup, action.life, action.slot)
    case 'detach':
      return detach(state, action.slot)
    case 'tick':
      return pass(state, action.seconds)
  }
}

const put = (state: State, setup: Setup, { key, bytes, landing }: Extract<Action, { do: 'put' }>): void => {
  const end = state.tickets.find((one) => one.key === key)?.end ?? state.now
  send(state, setup, { op: 'put', key, from: null, bytes, isClient: true }, landing, end + setup.durations.signedWatch - 1)
}

/** Lets time pass. What may not land any more is forgotten. */
export const pass = (state: State, seconds: number): void => {
  state.now += seconds
  state.late = state.late.filter(({ by }) => by >= state.now)
  state.tickets = state.tickets.filter(({ end }) => end > state.now)
}

const leave = (state: State, id: number): void => {
  state.actors = state.actors.filter((actor) => actor.id !== id)
}

const step = (state: State, setup: Setup, id: number, landing: Landing): void => {
  const actor = state.actors.find((one) => one.id === id)
  if (actor && stepOf(state, setup, actor, landing)) leave(state, id)
}

/** @returns true when it is over. */
export const stepOf = (state: State, setup: Setup, actor: Actor, landing: Landing): boolean => {
  if (actor.who === 'verifier') return stepVerifier(state, setup, actor)
  if (actor.who === 'deleter') return stepDeleter(state, setup, actor, landing)
  if (actor.who === 'purger') return stepPurger(state, setup, actor)
  if (actor.at === 'put' || actor.at === 'settle') return stepPut(state, setup, actor, landing)
  return actor.job === 'build' ? stepBuild(state, setup, actor) : stepGate(state, setup, actor, landing)
}

const beatOf = (state: State, setup: Setup, id: number, isSent: boolean): void => {
  const actor = state.actors.find((one) => one.id === id)
  if (actor?.who === 'worker' && beat(state, setup, actor, isSent)) leave(state, id)
}

const kill = (state: State, setup: Setup, id: number, isSent: boolean): void => {
  const actor = state.actors.find((one) => one.id === id)
  if (actor && isSent) {
    if (actor.who === 'worker') sendOff(state, setup, actor)
    if (actor.who === 'deleter') {
      const by = state.now + setup.durations.ownWatch
      state.late.push({ op: 'delete', key: actor.key, from: null, bytes: null, isClient: false, by })
    }
  }
  leave(state, id)
}
