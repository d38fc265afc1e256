import { isRindleError } from '../../../src/core/errors.ts'
import type { SignedRequest } from '../../../src/core/ports/storage.ts'
import { attach } from '../../../src/flows/assets/attach.ts'
import { deleteObject } from '../../../src/flows/assets/delete-object.ts'
import { detach } from '../../../src/flows/assets/detach.ts'
import { purgeAsset } from '../../../src/flows/assets/purge-asset.ts'
import { purge } from '../../../src/flows/assets/purge.ts'
import { releaseQuarantine } from '../../../src/flows/assets/release-quarantine.ts'
import { settleSlots } from '../../../src/flows/assets/settle-slots.ts'
import { sweep } from '../../../src/flows/ops/sweep.ts'
import { cancelUpload } from '../../../src/flows/uploads/cancel-upload.ts'
import { initiateUpload } from '../../../src/flows/uploads/initiate-upload.ts'
import { signUpload } from '../../../src/flows/uploads/sign-upload.ts'
import { verifyCompletion } from '../../../src/flows/uploads/verify-completion.ts'
import { buildVariants } from '../../../src/flows/variants/build-variants.ts'
import { promoteAsset } from '../../../src/flows/variants/promote-asset.ts'
import type { RindleContext } from '../../../src/context.ts'
import type { LateCall } from '../../../src/testing/memory-bucket.ts'
import type { Action } from '../actions.ts'
import type { Setup } from '../setup.ts'
import type { Actor, State } from '../state.ts'
import { bodyOf, declaredBytes } from './bodies.ts'
import { linesOfWorld, type Names, noNames, ownerOfSlot } from './project.ts'
import { type CallName, type Player, startPlayer } from './turnstile.ts'
import type { World } from './world.ts'

/** One walk through the real flows: what its people hold in their hands. */
export interface Play {
  readonly world: World
  readonly setup: Setup
  readonly start: Date
  readonly names: Names
  readonly assetIds: readonly string[]
  readonly sessionIds: readonly string[]
  readonly tickets: Map<string, SignedRequest>
  /** By the id of the actor in the model. */
  readonly players: Map<number, Player>
  /** Beside those of the model, in the same order. */
  lates: LateCall[]
  reading: Awaited<ReturnType<typeof sweep>>['reading']
  /** What ended otherwise than the model says. */
  readonly surprises: string[]
}

export const beginPlay = async (world: World, setup: Setup): Promise<Play> => {
  await world.empty()
  const { ctx, clock } = world
  const start = clock.now()
  const options = { filename: 'picture.png', byteSize: declaredBytes }
  const names = noNames()
  const [assetIds, sessionIds]: [string[], string[]] = [[], []]
  for (let life = 0; life < setup.lives; life += 1) {
    const session = await initiateUpload(ctx, 'picture', options)
    names.assets.set(session.assetId, life)
    assetIds.push(session.assetId)
    sessionIds.push(session.id)
  }
  await linesOfWorld(world, names, start)
  const { reading } = await sweep(ctx, { holder: 'model', previous: null })
  return {
    ...{ world, setup, start, names, assetIds, sessionIds, reading },
    ...{ tickets: new Map(), players: new Map(), lates: [], surprises: [] },
  }
}

/** Makes the flows do what the model has done: `before` and `after` are its states. */
export const perform = async (play: Play, action: Action, before: State, after: State): Promise<void> => {
  const { world } = play
  const known = new Set(before.actors.map(({ id }) => id))
  const born = after.actors.find(({ id }) => !known.has(id))
  await performOne(play, action, before, after, born)
  const { late } = world.bucket
  const kept = before.late.map((_, index) => index).filter((index) => !(action.do === 'land' && index === action.index))
  const isKept = (index: number): boolean => action.do !== 'tick' || (before.late[index]?.by ?? 0) >= after.now
  const lates = kept.filter(isKept).flatMap((index) => play.lates[index] ?? [])
  const newest = late.at(-1)
  play.lates = after.late.length > lates.length && newest ? [...lates, newest] : lates
}

const performOne = async (play: Play, action: Action, before: State, after: State, born: Actor | undefined): Promise<void> => {
  const { world, assetIds, sessionIds } = play
  const { ctx, clock } = world
  const idOf = (list: readonly string[], index: number): string => list[index] ?? ''
  switch (action.do) {
    case 'sign':
      return void play.tickets.set(
        before.lives[action.life]?.session?.object ?? '',
        (await signUpload(ctx, idOf(sessionIds, action.life))).presigned,
      )
    case 'put':
      return put(play, action)
    case 'land':
      return void play.lates[action.index]?.land()
    case 'cancel':
      return void (await cancelUpload(ctx, idOf(sessionIds, action.life)))
    case 'verify':
      return begin(play, born, (own) => verifyCompletion(own, idOf(sessionIds, action.life)))
    case 'claim':
      return begin(play, born, (own) => promoteAsset(own, idOf(assetIds, action.life)))
    case 'build':
      return begin(play, born, (own) => buildVariants(own, idOf(assetIds, action.life)))
    case 'delete': {
      const [id = ''] = [...play.names.objects].find(([, key]) => key === action.key) ?? []
      return begin(play, born, (own) => deleteObject(own, id))
    }
    case 'purgeJob':
      return purgeAsset(ctx, idOf(assetIds, action.life))
    case 'settleSlots':
      return settleSlots(ctx, idOf(assetIds, action.life))
    case 'purge':
      return refusedWith(['asset_attached'], () => purge(ctx, idOf(assetIds, action.life)))
    case 'release':
      return releaseQuarantine(ctx, idOf(assetIds, action.life), { actor: 'an operator', reason: 'looked at' })
    case 'attach':
      return void (await attach(ctx, idOf(assetIds, action.life), ownerOfSlot(action.slot), 'cover'))
    case 'detach':
      return detach(ctx, ownerOfSlot(action.slot), 'cover')
    case 'sweep':
      play.reading = (await sweep(ctx, { holder: 'model', previous: play.reading })).reading
      return
    case 'tick':
      return clock.advance(action.seconds)
    default:
      return performByActor(play, action, after)
  }
}

const refusedWith = async (codes: readonly string[], run: () => Promise<unknown>): Promise<void> => {
  try {
    await run()
  } catch (err) {
    if (!isRindleError(err) || !codes.includes(err.code)) throw err
  }
}

/** A client is told nothing that the model needs: refusals and lost connections alike. */
const put = async ({ world, tickets, setup }: Play, { key, bytes, landing }: Extract<Action, { do: 'put' }>): Promise<void> => {
  const ticket = tickets.get(key)
  if (!ticket) throw new Error(`nobody holds a ticket for ${key}`)
  const body = bodyOf(bytes)
  world.direct(landing)
  if (bytes !== 'w' || setup.honours.length) await world.bucket.send({ ...ticket, body }).catch(() => undefined)
  else {
    // A server that takes what the ticket does not allow: the bytes go in by the back door.
    const path = new URL(ticket.url).pathname.slice(1)
    const stream = new Blob([body]).stream()
    await world.bucket.adapter.put(decodeURIComponent(path), stream, { contentType: 'image/png' }).catch(() => undefined)
  }
  world.direct('now')
}

const begin = async (play: Play, born: Actor | undefined, run: (ctx: RindleContext) => Promise<unknown>): Promise<void> => {
  const { world } = play
  const failed = (err: unknown): void => {
    if (!isRindleError(err)) play.surprises.push(`a flow ended with ${err instanceof Error ? (err.stack ?? err.message) : String(err)}`)
  }
  const player = startPlayer({ ...world, run, failed })
  if (born) play.players.set(born.id, player)
  await follow(play, player, born)
}

const performByActor = async (play: Play, action: Extract<Action, { do: 'step' | 'beat' | 'kill' }>, after: State): Promise<void> => {
  const player = play.players.get(action.actor)
  if (!player) throw new Error(`nobody plays actor ${action.actor}`)
  const then = after.actors.find(({ id }) => id === action.actor)
  if (action.do === 'step') player.stop()?.go(action.landing)
  else if (action.isSent) await player.stop()?.sendOff()
  if (action.do === 'kill') {
    player.kill()
    play.players.delete(action.actor)
    return
  }
  if (action.do === 'beat') {
    player.fireTimers()
    await play.world.idle()
  }
  await follow(play, player, then)
  if (!then) play.players.delete(action.actor)
}

const calls: Readonly<Record<Actor['at'], CallName | 'answer'>> = {
  ...{ copy: 'copy', recheck: 'head', read: 'read', judge: 'judge', refuse: 'answer', fault: 'answer', put: 'put', settle: 'answer' },
  ...{ head: 'head', delete: 'delete', accept: 'answer', doom: 'answer' },
}

/** Lets a player hear the answers that mean nothing to the model, until it stands where the model has it: `then`, or at its end. */
const follow = async (play: Play, player: Player, then: Actor | undefined): Promise<void> => {
  const wanted = then && calls[then.at]
  for (;;) {
    const stop = await player.arrive()
    if (!stop) {
      if (then) play.surprises.push(`the model has the ${then.who} at ${then.at}, and the flow is over`)
      await play.world.idle()
      return
    }
    const { call, phase } = stop
    if (phase === 'before' ? call === wanted : wanted === 'answer') return
    if (phase === 'before')
      return void play.surprises.push(`the model has it ${then ? `at ${then.at}` : 'over'}, and the flow is about to ${call}`)
    stop.go('now')
  }
}
