import { anew, bring, expectServed, expectState, ownerOf, passed, picture, uploaded } from '../scenarios/people.ts'
import type { Bytes, Scenario, World } from '../scenarios/scenario.ts'
import { parts } from '../scenarios/parts.ts'
import { scenarios } from '../scenarios/table.ts'
import type { Task } from './app.ts'
import type { Point } from './passing.ts'

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

const heldOpen: Scenario = {
  name: 'slot-held-open',
  means:
    'A picture that is to replace another passes the gate while a transaction of the app holds the slot; the one that commits is shown.',
  calls: ['attach', 'attachmentFor'],
  async play(world) {
    const { rindle } = world
    const owner = ownerOf(world)
    const [first, last] = [await passed(world), await passed(world)]
    await world.call(() => rindle.attach(first.asset.id, owner, 'avatar'))
    const second = await uploaded(world)
    await world.call(() => rindle.attach(second.asset.id, owner, 'avatar'))
    await world.call(() =>
      world.transaction('commit', async (tx) => {
        await rindle.attach(last.asset.id, owner, 'avatar', { tx })
        await world.pass(60)
      }),
    )
    await world.settle()
    const shown = await world.call(() => rindle.attachmentFor(owner, 'avatar'))
    world.expect(shown?.asset.id === last.asset.id, `the slot shows ${shown?.asset.id}, not ${last.asset.id}`)
    await expectServed(world, last.asset.id, last.bytes)
  },
}

const photograph: Scenario = {
  name: 'photograph',
  means: 'A photograph is uploaded, decoded and scaled in the jail, and served as it was sent.',
  calls: ['initiateUpload', 'variantUrl'],
  async play(world) {
    const { default: sharp } = await import('sharp')
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

/** Those of the table are of parts of 100 bytes, which S3 does not put together; it takes one part of any length. */
const asOnePart: readonly Scenario[] = [inParts, partsAborted, partsExpired]
const common: readonly Scenario[] = [...scenarios.filter((scenario) => !parts.includes(scenario)), heldOpen]

/** A real jail refuses what the scenarios take for pictures. */
export const playable = ({ store, jail }: Pick<Task, 'store' | 'jail'>): readonly Scenario[] => {
  if (jail === 'real') return [photograph]
  if (store.kind === 'local') return common
  // What a PUT is held against S3 looks at, and the gateway does not.
  return [...common.filter(({ name }) => name !== 'wrong-digest'), ...asOnePart]
}

/** What leads to points that are not named after a call: by a part of the point, the names of the scenarios begin so. */
const ways: readonly (readonly [RegExp, RegExp])[] = [
  [/measures|degrade|variant\.give_back|^build_variants/, /^(?:app-code|variant-|slot-)/],
  [/^(?:make_poster|transcode_asset)|transcode/, /^lesson/],
  [/^settle_slots: jobs/, /^slot-held-open/],
  [/^settle_slots|attachment/, /^(?:replaced-|refused-|attach|gallery|shared|slot-)/],
  [/unmanaged/, /^(?:store|presigned)/],
  [/parts/, /^(?:in-a-part|part-)/],
  [/asset\.give_back/, /^(?:scanner|variant-built)/],
  [/refuse/, /^(?:quarantine|not-releasable|wrong-digest|refused-|settled)/],
  [/expire|upload_sessions|^door PUT/, /^(?:expired|part-left|idempotency|ticket|cancelled)/],
  [/puts sealed/, /^original-rewritten/],
]

/** Scenarios that lead to these points: about the calls that they are named after, or known to do so. All, where there is none. */
export const leadingTo = (points: readonly Point[], all: readonly Scenario[]): readonly Scenario[] => {
  const callers = new Set(points.map((point) => point.split(':', 1)[0]))
  const names = ways.filter(([part]) => points.some((point) => part.test(point))).map(([, name]) => name)
  const some = all.filter(({ name, calls }) => calls.some((call) => callers.has(call)) || names.some((one) => one.test(name)))
  return some.length > 0 ? some : all
}
