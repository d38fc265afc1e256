import sharp from 'sharp'
import { anew, bring, expectServed, expectState, expectWithheld, passed, picture } from '../scenarios/people.ts'
import type { Bytes, Scenario, World } from '../scenarios/scenario.ts'
import { scenarios } from '../scenarios/table.ts'
import type { Task } from './app.ts'

/** Scenarios that are not played here, and why. */
const left: Readonly<Record<string, string>> = {
  'wrong-length': 'finds its key in the address of a bucket in memory; played below by the row',
  'swapped-after-verify': 'the same',
  'wrong-digest': 'the same',
  parts: 'parts of 100 bytes, which S3 does not put together, and a folder takes none; played below as one part',
  'part-missing': 'the same',
  'parts-under-a-key': 'the same',
  'parts-aborted': 'the same',
  'parts-expired': 'the same',
  'strangers-in-storage': 'leaves in storage what the ledger would take for ours',
  'work-elsewhere': 'every worker here is elsewhere',
  doctor: 'only looks',
}

/** Where bytes go that are sent with a session's ticket. */
const keyOf = async (world: World, sessionId: string): Promise<string> => {
  const row = await world.ctx.db.pool
    .selectFrom('rindle.media_upload_sessions as s')
    .innerJoin('rindle.media_objects as o', 'o.id', 's.object_id')
    .select('o.key')
    .where('s.id', '=', sessionId)
    .executeTakeFirstOrThrow()
  return row.key
}

/** Only to where a ticket leads can anything come. */
const open = async (world: World, bytes: Bytes, more: { readonly sha256?: string } = {}): Promise<string> => {
  const { id } = await world.call(() => world.rindle.initiateUpload('photo', { filename: 'a.png', byteSize: bytes.byteLength, ...more }))
  await world.call(() => world.rindle.signUpload(id))
  return id
}

const wrongLength: Scenario = {
  name: 'too-short',
  means: 'What lands is shorter than announced; the session goes on with a fresh key, and the right file is taken.',
  calls: ['initiateUpload', 'signUpload', 'verifyCompletion'],
  play: (world) =>
    anew(world, async () => {
      const bytes = picture(world)
      const id = await open(world, bytes)
      await world.intrude(await keyOf(world, id), bytes.slice(0, 20))
      await world.refused(['upload_size_mismatch', 'upload_object_missing'], () => world.rindle.verifyCompletion(id))
      await bring(world, async () => (await world.rindle.signUpload(id)).presigned, bytes)
      const { asset } = await world.call(() => world.rindle.verifyCompletion(id))
      await world.settle()
      await expectState(world, asset.id, 'ready')
      await expectServed(world, asset.id, bytes)
    }),
}

const swapped: Scenario = {
  name: 'swapped',
  means: 'What was verified is replaced in staging before the gate looks: it is refused, or what was verified is served, and nothing else.',
  calls: ['verifyCompletion', 'asset'],
  play: (world) =>
    anew(world, async () => {
      const bytes = picture(world)
      const id = await open(world, bytes)
      await bring(world, async () => (await world.rindle.signUpload(id)).presigned, bytes)
      const key = await keyOf(world, id)
      const { asset } = await world.call(() => world.rindle.verifyCompletion(id))
      await world.intrude(key, picture(world))
      await world.settle()
      const found = await world.call(() => world.rindle.asset(asset.id))
      if (found?.state === 'ready') await expectServed(world, asset.id, bytes)
      else await expectWithheld(world, asset.id)
    }),
}

const otherDigest: Scenario = {
  name: 'other-digest',
  means: 'The bytes that land have not the SHA-256 that was announced: the gate refuses them, and they are served to nobody.',
  calls: ['initiateUpload', 'verifyCompletion', 'asset'],
  play: (world) =>
    anew(world, async () => {
      const bytes = picture(world)
      const id = await open(world, bytes, { sha256: 'ab'.repeat(32) })
      await world.intrude(await keyOf(world, id), bytes)
      const { asset } = await world.call(() => world.rindle.verifyCompletion(id))
      await world.settle()
      await expectState(world, asset.id, 'quarantined')
      await expectWithheld(world, asset.id)
    }),
}

const partBytes = 5 * 1024 * 1024
const openParts = (world: World, bytes: Bytes, expiresInSeconds = 3_600) =>
  world.call(() =>
    world.rindle.initiateMultipartUpload('photo', { filename: 'a.png', byteSize: bytes.byteLength, partBytes, expiresInSeconds }),
  )
const sendPart = (world: World, id: string, bytes: Bytes) =>
  bring(world, async () => (await world.rindle.signMultipartPart(id, 1)).presigned, bytes)

const inParts: Scenario = {
  name: 'in-a-part',
  means: 'A picture comes as an upload in parts, is put together by two callers and served as it was sent.',
  calls: ['initiateMultipartUpload', 'signMultipartPart', 'completeMultipartUpload'],
  play: (world) =>
    anew(world, async () => {
      const bytes = picture(world, 270)
      const { session } = await openParts(world, bytes)
      await sendPart(world, session.id, bytes)
      const complete = () => world.call(() => world.rindle.completeMultipartUpload(session.id))
      const [one, other] = await Promise.all([complete(), complete()])
      world.expect(one.asset.id === other.asset.id, 'two callers were told of two assets')
      await world.settle()
      await expectState(world, one.asset.id, 'ready')
      await expectServed(world, one.asset.id, bytes)
    }),
}

const partsAborted: Scenario = {
  name: 'part-given-up',
  means: 'An upload in parts is given up after a part was sent; nothing of it stays.',
  calls: ['initiateMultipartUpload', 'cancelUpload'],
  play: (world) =>
    anew(world, async () => {
      const bytes = picture(world, 270)
      const { session } = await openParts(world, bytes)
      await sendPart(world, session.id, bytes)
      await world.call(() => world.rindle.cancelUpload(session.id))
      await world.refused(['upload_session_ended', 'upload_session_expired', 'upload_session_not_found'], () =>
        world.rindle.signMultipartPart(session.id, 1),
      )
    }),
}

const partsExpired: Scenario = {
  name: 'part-left-alone',
  means: 'Nobody finishes an upload in parts; it expires, and storage keeps none of them.',
  calls: ['initiateMultipartUpload', 'uploadSession'],
  play: (world) =>
    anew(world, async () => {
      const bytes = picture(world, 150)
      const { session } = await openParts(world, bytes, 120)
      await sendPart(world, session.id, bytes)
      await world.pass(300)
      await world.refused(['upload_session_expired', 'upload_session_not_found'], () => world.rindle.completeMultipartUpload(session.id))
    }),
}

const photograph: Scenario = {
  name: 'photograph',
  means: 'A photograph is uploaded, decoded and scaled in the jail, and served as it was sent.',
  calls: ['initiateUpload', 'variantUrl'],
  async play(world) {
    const raw = { width: 160, height: 120, channels: 3 } as const
    const noise = world.random.bytes(raw.width * raw.height * raw.channels)
    const bytes = new Uint8Array(await sharp(noise, { raw }).jpeg().toBuffer())
    const { asset } = await passed(world, { bytes, filename: `${world.label}.jpg` })
    await expectState(world, asset.id, 'ready')
    await expectServed(world, asset.id, bytes)
    const thumb = await world.fetch(await world.call(() => world.rindle.variantUrl({ id: asset.id }, 'thumb')))
    const drawn = thumb && (await sharp(thumb).metadata())
    world.expect(drawn?.width === 8, `a thumb of 8 pixels is ${drawn?.width} wide`)
  },
}

const common: readonly Scenario[] = [...scenarios.filter(({ name }) => left[name] === undefined), wrongLength, swapped, otherDigest]

/** A real jail refuses what the scenarios take for pictures. */
export const playable = ({ store, jail }: Pick<Task, 'store' | 'jail'>): readonly Scenario[] => {
  if (jail === 'real') return [photograph]
  return store.kind === 's3' ? [...common, inParts, partsAborted, partsExpired] : common
}
