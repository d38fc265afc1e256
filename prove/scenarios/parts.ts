import type { SentPart } from '../../src/core/multipart.ts'
import { anew, bring, expectServed, expectState, isOver, longerThanAnyJump, ownerOf, picture } from './people.ts'
import type { Bytes, Scenario, World } from './scenario.ts'

const partBytes = 100
const sliceOf = (bytes: Bytes, number: number): Bytes => bytes.slice((number - 1) * partBytes, number * partBytes)

const sendPart = (world: World, sessionId: string, bytes: Bytes, number: number): Promise<void> =>
  bring(world, async () => (await world.rindle.signMultipartPart(sessionId, number)).presigned, sliceOf(bytes, number))

const open = async (world: World, bytes: Bytes, options: { readonly expiresInSeconds?: number } = {}) =>
  world.call(() => world.rindle.initiateMultipartUpload('photo', { filename: 'a.png', byteSize: bytes.byteLength, partBytes, ...options }))

const inParts: Scenario = {
  name: 'parts',
  means: 'A picture comes in three parts in any order, one of them twice; it is put together and served as it was sent.',
  calls: ['initiateMultipartUpload', 'signMultipartPart', 'completeMultipartUpload'],
  play: (world) =>
    anew(world, async () => {
      const bytes = picture(world, 270)
      const { session, multipart } = await open(world, bytes)
      world.expect(multipart.partCount === 3, `270 bytes are cut into ${multipart.partCount} parts of 100`)
      for (const number of [3, 1, 2, 1]) await sendPart(world, session.id, bytes, number)
      const complete = () => world.call(() => world.rindle.completeMultipartUpload(session.id))
      const [one, other] = await Promise.all([complete(), complete()])
      world.expect(one.asset.id === other.asset.id, 'two callers were told of two assets')
      await world.settle()
      await expectState(world, one.asset.id, 'ready')
      await expectServed(world, one.asset.id, bytes)
    }),
}

const partMissing: Scenario = {
  name: 'part-missing',
  means: 'An upload is completed before its last part came, with a list that is wrong, and then as it should be.',
  calls: ['signMultipartPart', 'completeMultipartUpload'],
  play: (world) =>
    anew(world, async () => {
      const { rindle } = world
      const bytes = picture(world, 150)
      const { session } = await open(world, bytes)
      await sendPart(world, session.id, bytes, 1)
      await world.refused(['upload_parts_missing'], () => rindle.completeMultipartUpload(session.id))
      await sendPart(world, session.id, bytes, 2)
      const wrong: SentPart[] = [1, 2].map((partNumber) => ({ partNumber, etag: '"of something else"' }))
      await world.refused(['upload_parts_mismatch'], () => rindle.completeMultipartUpload(session.id, wrong))
      const { asset } = await world.call(() => rindle.completeMultipartUpload(session.id))
      await world.settle()
      await expectState(world, asset.id, 'ready')
      await expectServed(world, asset.id, bytes)
    }),
}

const partsUnderKey: Scenario = {
  name: 'parts-under-a-key',
  means: 'An upload in parts is opened twice under one idempotency key, as after a reply that was lost, and is one.',
  calls: ['initiateMultipartUpload', 'verifyCompletion'],
  play: (world) =>
    anew(world, async () => {
      const { rindle } = world
      const bytes = picture(world, 150)
      const wish = { filename: 'a.png', byteSize: bytes.byteLength, partBytes, owner: ownerOf(world), idempotencyKey: world.label }
      const first = await world.call(() => rindle.initiateMultipartUpload('photo', wish))
      const { session } = await world.call(() => rindle.initiateMultipartUpload('photo', wish))
      world.expect(first.session.id === session.id || !world.undisturbed, 'one key opened two uploads')
      for (const number of [1, 2]) await sendPart(world, session.id, bytes, number)
      const { asset } = await world.call(() => rindle.verifyCompletion(session.id))
      await world.settle()
      await expectState(world, asset.id, 'ready')
    }),
}

const partsAborted: Scenario = {
  name: 'parts-aborted',
  means: 'An upload in parts is given up after its first part; storage is told, and nothing of it stays.',
  calls: ['initiateMultipartUpload', 'signMultipartPart', 'cancelUpload'],
  async play(world) {
    const { rindle } = world
    const bytes = picture(world, 270)
    const { session } = await open(world, bytes).catch(async (err: unknown) => {
      if (world.undisturbed || !isOver(err)) throw err
      return open(world, bytes)
    })
    await sendPart(world, session.id, bytes, 1).catch(ignoringOver(world))
    await world.call(() => rindle.cancelUpload(session.id)).catch(ignoringOver(world))
    const over = ['upload_session_ended', 'upload_session_expired', 'upload_session_not_found']
    await world.refused(over, () => rindle.signMultipartPart(session.id, 2))
    await world.settle()
  },
}

const partsExpired: Scenario = {
  name: 'parts-expired',
  means: 'Nobody finishes an upload in parts; it expires, and storage keeps none of them.',
  calls: ['initiateMultipartUpload', 'signMultipartPart', 'completeMultipartUpload'],
  async play(world) {
    const bytes = picture(world, 150)
    const { session } = await anew(world, () => open(world, bytes, { expiresInSeconds: 300 }))
    await sendPart(world, session.id, bytes, 1).catch(ignoringOver(world))
    await world.pass(world.undisturbed ? 600 : longerThanAnyJump)
    await world.refused(['upload_session_expired', 'upload_session_not_found'], () => world.rindle.completeMultipartUpload(session.id))
  },
}

const ignoringOver =
  ({ undisturbed }: World) =>
  (err: unknown): void => {
    if (undisturbed || !isOver(err)) throw err
  }

export const parts: readonly Scenario[] = [inParts, partMissing, partsUnderKey, partsAborted, partsExpired]
