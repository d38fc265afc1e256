import {
  anew,
  bring,
  expectServed,
  expectState,
  expectWithheld,
  isOver,
  longerThanAnyJump,
  ownerOf,
  picture,
  textOf,
  uploaded,
} from './people.ts'
import type { Scenario, Sendable, World } from './scenario.ts'

/** Where a ticket writes to: what a store that does not listen to tickets would write there. */
const keyIn = ({ url }: Sendable): string => decodeURIComponent(new URL(url).pathname.slice(1))

const putUpload: Scenario = {
  name: 'put-upload',
  means: 'A client uploads a picture by one PUT; it passes the gate, its variants are made, and it is served as it was sent.',
  calls: ['initiateUpload', 'signUpload', 'verifyCompletion', 'asset', 'url', 'variantUrl', 'uploadSession'],
  async play(world) {
    const { rindle } = world
    const { asset, session, bytes } = await uploaded(world)
    world.expect(asset.state === 'validating' || !world.undisturbed, `a verified asset is ${asset.state}`)
    await world.settle()
    await expectState(world, asset.id, 'ready')
    await expectServed(world, asset.id, bytes)
    const thumb = await world.fetch(await world.call(() => rindle.variantUrl({ id: asset.id }, 'thumb')))
    world.expect(thumb !== null && Buffer.from(thumb).toString('latin1').startsWith('thumb:'), 'the thumb is not served')
    const found = await world.call(() => rindle.uploadSession(session.id))
    world.expect(found?.state === 'completed' || (found === null && !world.undisturbed), `the session is ${found?.state}`)
  },
}

const wrongLength: Scenario = {
  name: 'wrong-length',
  means: 'What lands is shorter than announced; the session goes on with a fresh key, and the right file is taken.',
  calls: ['initiateUpload', 'signUpload', 'verifyCompletion'],
  play: (world) =>
    anew(world, async () => {
      const { rindle } = world
      const bytes = picture(world)
      const { id } = await world.call(() => rindle.initiateUpload('photo', { filename: 'a.png', byteSize: bytes.byteLength }))
      const { presigned } = await world.call(() => rindle.signUpload(id))
      await world.intrude(keyIn(presigned), bytes.slice(0, 20))
      const codes = ['upload_size_mismatch', ...(world.undisturbed ? [] : ['upload_object_missing'])]
      await world.refused(codes, () => rindle.verifyCompletion(id))
      await bring(world, async () => (await rindle.signUpload(id)).presigned, bytes)
      const { asset } = await world.call(() => rindle.verifyCompletion(id))
      await world.settle()
      await expectState(world, asset.id, 'ready')
      await expectServed(world, asset.id, bytes)
    }),
}

const doubleVerify: Scenario = {
  name: 'double-verify',
  means: 'An upload is verified three times at once and once more later; all hear of the same asset, which is made once.',
  calls: ['verifyCompletion', 'verifyUpload'],
  play: (world) =>
    anew(world, async () => {
      const { rindle } = world
      const bytes = picture(world)
      const { id, assetId } = await world.call(() => rindle.initiateUpload('photo', { filename: 'a.png', byteSize: bytes.byteLength }))
      await bring(world, async () => (await rindle.signUpload(id)).presigned, bytes)
      const verify = () => world.call(() => rindle.verifyCompletion(id))
      const all = [...(await Promise.all([verify(), verify(), world.call(() => rindle.verifyUpload(id))])), await verify()]
      world.expect(
        all.every(({ asset, session }) => asset.id === assetId && session.state === 'completed'),
        'two callers were told of two assets',
      )
      await world.settle()
      await expectState(world, assetId, 'ready')
    }),
}

const lateTicket: Scenario = {
  name: 'ticket-used-late',
  means: 'A client comes with its ticket after that has ended, asks for another, and uses the old one again after the file was verified.',
  calls: ['signUpload', 'verifyCompletion'],
  play: (world) =>
    anew(world, async () => {
      const { rindle } = world
      const bytes = picture(world)
      const { id } = await world.call(() => rindle.initiateUpload('photo', { filename: 'a.png', byteSize: bytes.byteLength }))
      const { presigned } = await world.call(() => rindle.signUpload(id))
      await world.pass(1_000)
      const taken = await world.send(presigned, bytes)
      world.expect(!taken || !world.undisturbed, 'a ticket that has ended was good')
      await bring(world, async () => (await rindle.signUpload(id)).presigned, bytes)
      const { asset } = await world.call(() => rindle.verifyCompletion(id))
      await world.send(presigned, picture(world))
      await world.settle()
      await expectState(world, asset.id, 'ready')
      await expectServed(world, asset.id, bytes)
    }),
}

const swapped: Scenario = {
  name: 'swapped-after-verify',
  means: 'What was verified is replaced in staging before the gate looks: it is refused, or what was verified is served, and nothing else.',
  calls: ['verifyCompletion', 'asset'],
  play: (world) =>
    anew(world, async () => {
      const { rindle } = world
      const bytes = picture(world)
      const { id } = await world.call(() => rindle.initiateUpload('photo', { filename: 'a.png', byteSize: bytes.byteLength }))
      const { presigned } = await world.call(() => rindle.signUpload(id))
      await world.send(presigned, bytes)
      await bring(world, async () => (await rindle.signUpload(id)).presigned, bytes)
      const { asset } = await world.call(() => rindle.verifyCompletion(id))
      await world.intrude(keyIn(presigned), picture(world))
      await world.settle()
      const found = await world.call(() => rindle.asset(asset.id))
      world.expect(found?.error?.code === 'upload_object_changed' || !world.undisturbed, `a swap was not noticed: ${found?.state}`)
      if (found?.state === 'ready') await expectServed(world, asset.id, bytes)
      else await expectWithheld(world, asset.id)
    }),
}

const idempotency: Scenario = {
  name: 'idempotency-key',
  means: 'The same upload is opened three times under one key and is one; another file under that key is refused.',
  calls: ['initiateUpload'],
  async play(world) {
    const { rindle } = world
    const bytes = picture(world)
    const wish = { filename: 'a.png', byteSize: bytes.byteLength, owner: ownerOf(world), idempotencyKey: `key of ${world.label}` }
    const open = () => world.call(() => rindle.initiateUpload('photo', wish))
    const opened = await Promise.all([open(), open()])
    const again = await open()
    world.expect(opened.every(({ id }) => id === again.id) || !world.undisturbed, 'one key opened several sessions')
    await world.refused(['idempotency_key_reused'], () => rindle.initiateUpload('photo', { ...wish, byteSize: 65 }))
    const { asset } = await uploaded(world, { ...wish, bytes })
    world.expect(asset.id === again.assetId || !world.undisturbed, 'the key led to another asset')
    await world.settle()
    await expectState(world, asset.id, 'ready')
  },
}

const wrongDigest: Scenario = {
  name: 'wrong-digest',
  means: 'The bytes that land have not the SHA-256 that was announced: the gate refuses them, and they are served to nobody.',
  calls: ['initiateUpload', 'verifyCompletion', 'asset'],
  play: (world) =>
    anew(world, async () => {
      const { rindle } = world
      const bytes = picture(world)
      const wish = { filename: 'a.png', byteSize: bytes.byteLength, sha256: 'ab'.repeat(32) }
      const { id } = await world.call(() => rindle.initiateUpload('photo', wish))
      const { presigned } = await world.call(() => rindle.signUpload(id))
      world.expect(!(await world.send(presigned, bytes)), 'a ticket took other bytes than were announced')
      await world.intrude(keyIn(presigned), bytes)
      const { asset } = await world.call(() => rindle.verifyCompletion(id))
      await world.settle()
      const found = await world.call(() => rindle.asset(asset.id))
      world.expect(
        found?.error?.code === 'upload_checksum_mismatch',
        `the gate says ${found?.error?.code} of other bytes, which are ${found?.state}`,
      )
      await expectWithheld(world, asset.id)
    }),
}

const cancelled: Scenario = {
  name: 'cancelled',
  means: 'A client gives an upload up after it sent the file; nothing of it stays, and it cannot be verified.',
  calls: ['cancelUpload', 'uploadSession'],
  async play(world) {
    const { rindle } = world
    const bytes = picture(world)
    const { id, assetId } = await world.call(() => rindle.initiateUpload('photo', { filename: 'a.png', byteSize: bytes.byteLength }))
    const { presigned } = await world.call(() => rindle.signUpload(id)).catch(overIsFine(world))
    await world.send(presigned, bytes)
    await world.call(() => rindle.cancelUpload(id)).catch(overIsFine(world))
    await world.refused(['upload_session_ended', 'upload_session_expired', 'upload_session_not_found'], () => rindle.verifyCompletion(id))
    await world.send(presigned, bytes)
    const state = (await world.call(() => rindle.uploadSession(id)))?.state
    world.expect(state === 'aborted' || !world.undisturbed, `a cancelled session is ${state}`)
    world.expect((await world.call(() => rindle.asset(assetId))) === null, 'the asset of a cancelled upload is there')
  },
}

const nothing: Sendable = { method: 'PUT', url: 'https://default.bucket.test/', headers: {} }
const overIsFine =
  ({ undisturbed }: World) =>
  (err: unknown): { readonly presigned: Sendable } => {
    if (undisturbed || !isOver(err)) throw err
    return { presigned: nothing }
  }

const expired: Scenario = {
  name: 'expired',
  means: 'Nobody finishes an upload; it expires, and what was sent is taken away.',
  calls: ['initiateUpload', 'signUpload', 'uploadSession'],
  async play(world) {
    const { rindle } = world
    const bytes = picture(world)
    const wish = { filename: 'a.png', byteSize: bytes.byteLength, expiresInSeconds: 120 }
    const { id } = await world.call(() => rindle.initiateUpload('photo', wish))
    const { presigned } = await world.call(() => rindle.signUpload(id)).catch(overIsFine(world))
    await world.send(presigned, bytes)
    await world.pass(world.undisturbed ? 300 : longerThanAnyJump)
    await world.settle()
    await world.refused(['upload_session_expired', 'upload_session_not_found'], () => rindle.verifyCompletion(id))
    const state = (await world.call(() => rindle.uploadSession(id)))?.state
    world.expect(state === 'expired' || !world.undisturbed, `a session that ran out of time is ${state}`)
  },
}

const onServer: Scenario = {
  name: 'server-upload',
  means: 'The app takes a document in itself and it is served.',
  calls: ['upload'],
  async play(world) {
    const bytes = textOf(world, 'a paper')
    const asset = await anew(world, () => world.call(() => world.rindle.upload('paper', bytes, { filename: 'paper.txt' })))
    await world.settle()
    await expectState(world, asset.id, 'available')
    await expectServed(world, asset.id, bytes)
  },
}

const brokenSource: Scenario = {
  name: 'broken-source',
  means: 'What the app takes in breaks off, or is too large: it is told, and nothing stays.',
  calls: ['upload', 'assets'],
  async play(world) {
    const { rindle } = world
    const owner = ownerOf(world)
    async function* breaking() {
      yield picture(world)
      throw new RangeError('the line went dead')
    }
    async function* flooding() {
      for (let count = 0; count < 3; count += 1) yield new Uint8Array(50_000)
    }
    const over = ['upload_session_ended']
    await world.refused(['upload_source_failed', ...over], () => rindle.upload('photo', breaking(), { filename: 'a.png', owner }))
    await world.refused(['upload_too_large', ...over], () => rindle.upload('photo', flooding(), { filename: 'b.png', owner }))
    await world.settle()
    const { assets } = await world.call(() => rindle.assets({ owner }))
    world.expect(assets.length === 0 || !world.undisturbed, `${assets.length} assets stayed of uploads that failed`)
  },
}

const inTheirTransaction: Scenario = {
  name: 'opened-in-a-transaction',
  means: 'An upload is opened in a transaction of the app that is rolled back, and in one that commits: one session is there.',
  calls: ['initiateUpload', 'uploadSession'],
  play: (world) =>
    anew(world, async () => {
      const { rindle } = world
      const bytes = picture(world)
      const open = (end: 'commit' | 'rollback') =>
        world.call(() =>
          world.transaction(end, (tx) => rindle.initiateUpload('photo', { filename: 'a.png', byteSize: bytes.byteLength, tx })),
        )
      const undone = await open('rollback')
      world.expect((await world.call(() => rindle.uploadSession(undone.id))) === null, 'a session outlived its transaction')
      const { id } = await open('commit')
      await bring(world, async () => (await rindle.signUpload(id)).presigned, bytes)
      const { asset } = await world.call(() => rindle.verifyCompletion(id))
      await world.settle()
      await expectState(world, asset.id, 'ready')
    }),
}

export const uploads: readonly Scenario[] = [
  ...[putUpload, wrongLength, doubleVerify, lateTicket, swapped, idempotency, wrongDigest],
  ...[cancelled, expired, onServer, brokenSource, inTheirTransaction],
]
