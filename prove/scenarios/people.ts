import { type Asset, deliverableStates } from '../../src/core/asset.ts'
import { isRindleError } from '../../src/core/errors.ts'
import type { UploadSession, VerifiedUpload } from '../../src/core/upload-session.ts'
import type { InitiateUploadOptions } from '../../src/flows/uploads/initiate-upload.ts'
import { type FilmKind, markFilm } from './fake-films.ts'
import type { Bytes, Sendable, World } from './scenario.ts'

/** What the decoder of the scenarios takes for a picture, of this playing alone. */
export const picture = ({ random }: World, length = 64): Bytes => {
  const bytes = random.bytes(length)
  bytes.set([0x89, 0x50, 0x4e, 0x47])
  bytes[20] = 0
  return bytes
}

/** What it takes for a film. */
export const film = ({ random }: World, kind: FilmKind = 'plain'): Bytes => {
  const bytes = random.bytes(64)
  markFilm(bytes, kind)
  return bytes
}

export const textOf = ({ label, random }: World, about: string): Bytes =>
  new TextEncoder().encode(`${about} of ${label}, number ${random.int(1_000_000)}\n`)

export const ownerOf = ({ label }: World, number = 0) => ({ type: 'User', id: `${label} ${number}` })

export type ProfileName = 'photo' | 'paper' | 'brief' | 'guarded' | 'scanned' | 'framed' | 'lesson'

const ofUploads = new Set(['upload_session_expired', 'upload_session_ended', 'upload_session_not_found'])
/** What is said of an upload that ran out of time, or that was ended because its answer was lost. */
export const isOver = (err: unknown): boolean => isRindleError(err) && ofUploads.has(err.code)

/** Servers that are killed every few seconds meet one upload more than once. */
const times = 8
/** Does it from anew where the upload was over before its end: somebody's clock jumped, or a fault lasted too long. */
export const anew = async <T>(world: World, run: () => Promise<T>): Promise<T> => {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await run()
    } catch (err) {
      if (!isOver(err) || attempt === times) throw err
      // While clocks are doubted nobody ends a session, and its key leads back to it.
      await world.pass(3_700)
    }
  }
}

/** Signs and sends, with a ticket that is good. */
export const bring = async (world: World, sign: () => Promise<Sendable>, bytes: Bytes): Promise<void> => {
  for (let attempt = 1; attempt <= times; attempt += 1) if (await world.send(await world.call(sign), bytes)) return
  world.expect(false, `no ticket of ${times} was good for what it was signed for`)
}

export interface Sent {
  readonly asset: Asset
  readonly session: UploadSession
  readonly bytes: Bytes
}

export interface Wish extends Partial<InitiateUploadOptions> {
  readonly profile?: ProfileName
  readonly bytes?: Bytes
}

/** A client uploads a file by PUT, and the app has it verified. */
export const uploaded = (world: World, { profile = 'photo', bytes = picture(world), ...options }: Wish = {}): Promise<Sent> =>
  anew(world, async () => {
    const wish = { filename: `${world.label}.png`, ...options, byteSize: bytes.byteLength }
    const { id } = await world.call(() => world.rindle.initiateUpload(profile, wish))
    await bring(world, async () => (await world.rindle.signUpload(id)).presigned, bytes)
    const { asset, session }: VerifiedUpload = await world.call(() => world.rindle.verifyCompletion(id))
    return { asset, session, bytes }
  })

/** The same, and it has been through the gate. */
export const passed = async (world: World, wish: Wish = {}): Promise<Sent> => {
  const sent = await uploaded(world, wish)
  await world.settle()
  return sent
}

export const stateOf = async (world: World, assetId: string): Promise<Asset['state'] | 'gone'> =>
  (await world.call(() => world.rindle.asset(assetId)))?.state ?? 'gone'

export const expectState = async (world: World, assetId: string, expected: string): Promise<void> => {
  const state = await stateOf(world, assetId)
  world.expect(state === expected, `the asset is ${state}, not ${expected}`)
}

/** What its URL leads to is these very bytes. */
export const expectServed = async (world: World, assetId: string, bytes: Bytes): Promise<void> => {
  const url = await world.call(() => world.rindle.url(assetId))
  const served = (await world.fetch(url)) ?? (await world.fetch(await world.call(() => world.rindle.url(assetId))))
  world.expect(served !== null && Buffer.from(served).equals(Buffer.from(bytes)), `what is served of ${assetId} is not what was sent`)
}

/** Nobody gets an address of it. */
export const expectWithheld = async (world: World, assetId: string): Promise<void> => {
  await world.refused(['asset_not_available', 'asset_not_found'], () => world.rindle.url(assetId))
}

export const isDeliverable = (state: Asset['state'] | 'gone'): boolean => state !== 'gone' && deliverableStates.includes(state)

/** A clock may have gone back by two days, and be doubted for an hour. */
export const longerThanAnyJump = 4 * 86_400
