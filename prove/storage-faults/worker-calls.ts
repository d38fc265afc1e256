import { createHash } from 'node:crypto'
import { deleteObject } from '../../src/flows/assets/delete-object.ts'
import { reconcileStorage } from '../../src/flows/ops/reconcile-storage.ts'
import { settleUnmanagedObject } from '../../src/flows/steps/settle-unmanaged-object.ts'
import { buildVariants } from '../../src/flows/variants/build-variants.ts'
import { promoteAsset } from '../../src/flows/variants/promote-asset.ts'
import { sendByFetch } from '../../src/testing/client-request.ts'
import { type Call, freshKey, inParts, send, stateOf, unless, Waiting } from './call.ts'
import type { Lane } from './lane.ts'

const pdf = ({ random }: Lane): Buffer<ArrayBuffer> => Buffer.concat([Buffer.from('%PDF-1.7\n'), random.bytes(150_000)])

/** Waits where a fault has left it, and goes on from there. */
const gate = (kind: 'photo' | 'paper'): Call => ({
  name: kind === 'photo' ? 'gate and variants' : 'gate of a file',
  needs: kind === 'photo' ? ['head', 'copy', 'get', 'put'] : ['head', 'copy', 'get'],
  waits: true,
  async prepare(lane) {
    const bytes = kind === 'photo' ? await lane.picture() : pdf(lane)
    const { id } = await lane.rindle.upload(kind, bytes, { filename: kind === 'photo' ? 'a.png' : 'a.pdf' })
    const state = async () => (await lane.rindle.asset(id))?.state ?? 'gone'
    const done = kind === 'photo' ? 'ready' : 'available'
    return {
      async attempt() {
        const outcome = await promoteAsset(lane.ctx, id)
        const reached = await state()
        return reached === done ? outcome : new Waiting(`${outcome}, ${reached}`)
      },
      left: async () => unless(['validating', 'processing'].includes(await state()), `the asset is ${await state()}`),
      async again() {
        if ((await state()) === 'validating') await promoteAsset(lane.ctx, id)
        if ((await state()) === 'processing') await buildVariants(lane.ctx, id)
        return (await state()) === done ? servedIs(lane, id, bytes) : `the asset is ${await state()}`
      },
    }
  },
})

/** What was passed is what was sent, and its digest stands in its row. */
const servedIs = async (lane: Lane, assetId: string, bytes: Uint8Array): Promise<string | null> => {
  const { body } = await sendByFetch({ method: 'GET', url: await lane.rindle.url(assetId) })
  const { sha256 } = await lane.one(
    "select encode(o.sha256, 'hex') as sha256 from rindle.media_objects o join rindle.media_assets a on a.object_id = o.id where a.id = $1",
    assetId,
  )
  const sent = createHash('sha256').update(bytes).digest('hex')
  return unless(sent === sha256 && sent === createHash('sha256').update(body).digest('hex'), 'other bytes are served than were sent')
}

const build: Call = {
  name: 'variants later',
  needs: ['get', 'put'],
  waits: true,
  async prepare(lane) {
    const bytes = await lane.picture()
    const { id } = await lane.rindle.upload('photo', bytes, { filename: 'a.png' })
    // A fault after the admission leaves the variants to a job of their own.
    lane.suffer({ name: 'preparing', hits: () => true, code: 'storage_failed', behaviour: { resetsAfterBytes: 1 } })
    await promoteAsset(lane.ctx, id)
    lane.suffer(null)
    const state = async () => (await lane.rindle.asset(id))?.state ?? 'gone'
    if ((await state()) !== 'processing') throw new Error(`an asset is ${await state()}, not processing`)
    return {
      async attempt() {
        const outcome = await buildVariants(lane.ctx, id)
        return (await state()) === 'ready' ? outcome : new Waiting(outcome)
      },
      left: async () => unless((await state()) === 'processing', `the asset is ${await state()}`),
      async again() {
        if ((await state()) === 'processing') await buildVariants(lane.ctx, id)
        return unless((await state()) === 'ready', `the asset is ${await state()}`)
      },
    }
  },
}

const deletion: Call = {
  name: 'deletion',
  needs: ['abort', 'delete'],
  waits: true,
  async prepare(lane) {
    const sessionId = await inParts(lane)
    const { id } = await lane.one('select id from rindle.media_objects where session_id = $1', sessionId)
    await lane.rindle.cancelUpload(sessionId)
    const state = () => stateOf(lane, 'media_objects', String(id))
    const attempt = async () => {
      await deleteObject(lane.ctx, String(id))
      return (await state()) === 'watched' ? 'watched' : new Waiting(await state())
    }
    return {
      attempt,
      left: async () => unless((await state()) === 'doomed', `the object is ${await state()}`),
      async again() {
        await attempt()
        return unless((await state()) === 'watched', `the object is ${await state()}`)
      },
    }
  },
}

const lapsed: Call = {
  name: 'look after an unmanaged ticket',
  needs: ['head'],
  async prepare(lane) {
    const bytes = await lane.picture()
    const key = freshKey()
    await send(await lane.rindle.presignedPut('photo', key, 60, { byteSize: bytes.length }), bytes)
    const row = () => lane.one('select id, state from rindle.media_objects where key = $1', key)
    const attempt = async () => {
      lane.clock.setTo(new Date(Date.now() + 2 * 86_400_000))
      await settleUnmanagedObject(lane.ctx, String((await row())['id']))
    }
    return {
      attempt,
      left: async () => unless((await row())['state'] === 'reserved', 'it is not reserved any more'),
      async again() {
        await attempt()
        return unless((await row())['state'] === 'present', 'it is not present')
      },
    }
  },
}

const reconcile: Call = {
  name: 'reconciliation',
  needs: ['list', 'list-uploads'],
  waits: true,
  async prepare(lane) {
    await inParts(lane)
    let days = 0
    const attempt = async () => {
      // Once a day is all it does.
      lane.clock.setTo(new Date(Date.now() + (days += 1) * 3 * 86_400_000))
      lane.logged.length = 0
      const { outcome } = await reconcileStorage(lane.ctx, { holder: `lane ${lane.random.int(2 ** 31)}` })
      lane.clock.setTo(new Date())
      return lane.logged.some((line) => line.includes('reconcile_failed')) ? new Waiting(outcome) : outcome
    }
    return { attempt, again: async () => unless((await attempt()) === 'done', 'the store was not looked through') }
  },
}

/** What a worker does, by its jobs and when it looks. */
export const workerCalls: readonly Call[] = [gate('photo'), gate('paper'), build, deletion, lapsed, reconcile]
