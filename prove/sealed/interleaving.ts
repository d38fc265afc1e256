import { gateStates, type AssetState } from '../../src/core/asset.ts'
import { isRindleError } from '../../src/core/errors.ts'
import { buildVariants } from '../../src/flows/variants/build-variants.ts'
import { promoteAsset } from '../../src/flows/variants/promote-asset.ts'
import type { Random } from '../harness.ts'
import { type Attacker, type Counts as AttackerCounts, createAttacker } from './attacker.ts'
import { type Bodies, type Bytes, papers, sha256Of } from './bodies.ts'
import type { Ground } from './ground.ts'
import { judgeServed, type Served } from './judge.ts'
import type { Lane } from './lane.ts'

export type Counts = AttackerCounts &
  Record<'served' | 'refused' | 'swapsCaught' | 'abandoned' | 'multiparts' | 'variants' | 'attempts' | 'aged', number>

export const noCounts = (): Counts => ({
  ...{ served: 0, refused: 0, swapsCaught: 0, abandoned: 0, multiparts: 0, variants: 0, attempts: 0, aged: 0 },
  ...{ rePuts: 0, knocks: 0, landedLate: 0, heldUp: 0 },
})

export type Interleaving = {
  readonly lane: Lane
  readonly random: Random
  readonly counts: Counts
  readonly draw: (random: Random) => Bodies
  readonly breach: (text: string) => void
}

type Play = Interleaving & {
  readonly ground: Ground
  readonly bodies: Bodies
  readonly isMultipart: boolean
  readonly declaredSha256: string | null
  readonly sessionId: string
  readonly assetId: string
  readonly attacker: Attacker
}

const twoDays = 172_800
const most = { landings: 5, promotions: 6, builds: 2 }

/**
 * One upload by somebody who uses every ticket at every moment, from its session to long after it is served: before and after each call
 * that the library makes to storage something may be sent again, land late, or be asked for twice.
 */
export const playInterleaving = async (interleaving: Interleaving): Promise<void> => {
  const { lane, random } = interleaving
  const ground = random.pick(lane.grounds)
  const play = await begin(interleaving, ground)
  if (!play) return
  ground.direct(play.attacker)
  try {
    await toItsEnd(play)
  } finally {
    await play.attacker.landAll()
    await play.attacker.settle()
    ground.direct(null)
  }
}

const begin = async (interleaving: Interleaving, ground: Ground): Promise<Play | null> => {
  const { lane, random, counts, draw, breach } = interleaving
  const bodies = random.chance(0.12) ? draw(random) : papers(random, 80 + random.int(240))
  const isMultipart = random.chance(0.35)
  const declaredSha256 = !isMultipart && random.chance(0.2) ? sha256Of(bodies.good[0] ?? bodies.bad) : null
  const { filename, byteSize, kind } = bodies
  const wish = { filename, byteSize, ...(declaredSha256 === null ? {} : { sha256: declaredSha256 }) }
  const profile = `${kind}-${ground.name}`
  const parts = ground.partBytes === null ? {} : { partBytes: ground.partBytes }
  const session = isMultipart
    ? (await lane.rindle.initiateMultipartUpload(profile, { ...wish, ...parts })).session
    : await lane.rindle.initiateUpload(profile, wish)
  if (isMultipart) counts.multiparts += 1
  const { id: sessionId, assetId } = session
  const clock = lane.clock
  const attacker = createAttacker({
    ...{ ground, random: random.fork('attacker'), counts, breach },
    outlast: clock && (() => clock.advance(40)),
    knock: () =>
      random.chance(0.5)
        ? promoteAsset(lane.ctx, assetId)
        : isMultipart
          ? lane.rindle.completeMultipartUpload(sessionId)
          : lane.rindle.verifyCompletion(sessionId),
  })
  return { ...interleaving, ground, bodies, isMultipart, declaredSha256, sessionId, assetId, attacker }
}

const toItsEnd = async (play: Play): Promise<void> => {
  const { lane, assetId, attacker, counts, random } = play
  if (!(await land(play))) {
    counts.abandoned += 1
    return void (await ignoring(() => lane.rindle.cancelUpload(play.sessionId)))
  }
  const state = await promote(play)
  if (state && gateStates.includes(state))
    return play.breach(`asset ${assetId} on ${play.ground.name} is still ${state} after ${most.promotions} promotions`)
  for (let build = 0; build < most.builds && (await stateOf(play)) === 'processing'; build += 1)
    await ignoring(() => buildVariants(lane.ctx, assetId))

  const first = await judgeServed(play)
  await count(play, first)
  await attacker.rePut()
  await lane.worker.work()
  for (let again = 0; again < 3; again += 1) await attacker.rePut()
  await attacker.landAll()
  await attacker.settle()
  compare(play, first, await judgeServed(play), 'after everything had landed')
  if (!lane.clock || !random.chance(0.03)) return
  attacker.calm()
  counts.aged += 1
  await lane.worker.pass(twoDays)
  await attacker.rePut()
  compare(play, first, await judgeServed(play), 'two days later')
}

const count = async ({ lane, assetId, counts, bodies }: Play, served: Served): Promise<void> => {
  if (served) {
    counts.served += 1
    if (bodies.kind === 'photo') counts.variants += served.size - 1
    return
  }
  counts.refused += 1
  const [caught] = await lane.database.query(`select 1 from rindle.media_assets where id = $1 and error_code = 'upload_object_changed'`, [
    assetId,
  ])
  if (caught) counts.swapsCaught += 1
}

/** What was served once stays as it was for as long as it is served. */
const compare = ({ assetId, ground, breach }: Play, first: Served, then: Served, when: string): void => {
  if ((first === null) !== (then === null))
    return breach(`asset ${assetId} on ${ground.name} was ${first ? '' : 'not '}served, and ${when} it is otherwise`)
  for (const [key, sha256] of first ?? [])
    if (then?.get(key) !== sha256) breach(`${key} on ${ground.name} was served, and ${when} it has other bytes`)
}

const stateOf = async ({ lane, assetId }: Play): Promise<AssetState | null> => (await lane.rindle.asset(assetId))?.state ?? null

/** Sends, and asks to verify, until the session is completed. False when nobody gets it there. */
const land = async (play: Play): Promise<boolean> => {
  const { lane, sessionId, attacker, random, counts } = play
  const verify = () =>
    play.isMultipart && random.chance(0.7) ? lane.rindle.completeMultipartUpload(sessionId) : lane.rindle.verifyCompletion(sessionId)
  for (let attempt = 0; attempt < most.landings; attempt += 1) {
    counts.attempts += 1
    if (attempt === most.landings - 1) attacker.calm()
    await ignoring(() => sendAll(play))
    await Promise.all(random.chance(0.3) ? [ignoring(verify), ignoring(verify)] : [ignoring(verify)])
    const state = (await lane.rindle.uploadSession(sessionId))?.state
    if (state === 'completed') return true
    if (state === 'aborted' || state === 'failed' || state === 'expired') return false
  }
  return false
}

const sendAll = async (play: Play): Promise<void> => {
  const { lane, sessionId, bodies, attacker, ground, random } = play
  const bytes = random.pick([...bodies.good, ...bodies.good, bodies.bad])
  const all = [...bodies.good, bodies.bad]
  if (!play.isMultipart) {
    const { presigned } = await lane.rindle.signUpload(sessionId)
    attacker.own({ ticket: presigned, bodies: all })
    return void (await ignoring(() => ground.send({ ...presigned, body: bytes })))
  }
  const partBytes = ground.partBytes ?? bodies.byteSize
  for (let number = 1; (number - 1) * partBytes < bodies.byteSize; number += 1) {
    const slice = (whole: Bytes): Bytes => whole.slice((number - 1) * partBytes, number * partBytes)
    const { presigned } = await lane.rindle.signMultipartPart(sessionId, number)
    attacker.own({ ticket: presigned, bodies: all.map(slice) })
    await ignoring(() => ground.send({ ...presigned, body: slice(bytes) }))
  }
}

/** Works as workers do that are woken twice and run out of their leases, until the gate has spoken. */
const promote = async (play: Play): Promise<AssetState | null> => {
  const { lane, assetId, attacker, random } = play
  for (let visit = 0; visit < most.promotions; visit += 1) {
    if (visit === most.promotions - 2) attacker.calm()
    await Promise.all(Array.from({ length: random.chance(0.25) ? 2 : 1 }, () => ignoring(() => promoteAsset(lane.ctx, assetId))))
    const state = await stateOf(play)
    if (state === null || !gateStates.includes(state)) return state
    if (state !== 'analyzing') continue
    // Where no time can be made to pass, somebody who knocked has it in hand.
    if (lane.clock) lane.clock.advance(40)
    else await attacker.settle()
  }
  return stateOf(play)
}

/** What goes wrong by what was done to it is looked at by its result; only what nobody foresaw may fail the proof. */
const ignoring = async (run: () => Promise<unknown>): Promise<void> => {
  try {
    await run()
  } catch (err) {
    if (!isRindleError(err) && !(err instanceof DOMException) && !(err instanceof TypeError && err.message === 'fetch failed')) throw err
  }
}
