import { createHash } from 'node:crypto'
import { deleteObject } from '../../src/flows/assets/delete-object.ts'
import { reconcileStorage } from '../../src/flows/ops/reconcile-storage.ts'
import { settleUnmanagedObject } from '../../src/flows/steps/settle-unmanaged-object.ts'
import { buildVariants } from '../../src/flows/variants/build-variants.ts'
import { promoteAsset } from '../../src/flows/variants/promote-asset.ts'
import { sendByFetch } from '../../src/testing/client-request.ts'
import type { SignedRequest } from '../../src/core/ports/storage.ts'
import type { Need } from './faults.ts'
import type { Lane } from './lane.ts'

/** One call, ready to be made. */
export interface Prepared {
  /** While storage goes wrong. */
  attempt(): Promise<unknown>
  /** What is wrong with what a failed attempt left behind; null when nothing is. */
  left?(): Promise<string | null>
  /** Once storage is well again. @returns what is wrong; null when it did what it is for. */
  again(): Promise<string | null>
}

export interface Call {
  readonly name: string
  /** What it needs of storage. */
  readonly needs: readonly Need[]
  /** A job never throws: its row waits, and says what is owed. */
  readonly waits?: true
  prepare(lane: Lane): Promise<Prepared>
}

const send = async ({ method, url, headers }: SignedRequest, body: Uint8Array<ArrayBuffer>): Promise<void> => {
  const { status } = await sendByFetch({ method, url, headers, body })
  if (status !== 200) throw new Error(`a client was answered ${status}`)
}

const unless = (holds: boolean, problem: string): string | null => (holds ? null : problem)
const stateOf = async ({ database }: Lane, table: string, id: string): Promise<string> => {
  const [row] = await database.query(`select state from rindle.${table} where id = $1`, [id])
  return String(row?.['state'] ?? 'gone')
}

const pdf = ({ random }: Lane): Buffer<ArrayBuffer> => Buffer.concat([Buffer.from('%PDF-1.7\n'), random.bytes(150_000)])

/** A session whose bytes a client has sent. */
const landed = async (lane: Lane): Promise<{ readonly sessionId: string; readonly bytes: Buffer<ArrayBuffer> }> => {
  const bytes = await lane.picture()
  const session = await lane.rindle.initiateUpload('photo', { filename: 'a.png', byteSize: bytes.length })
  const { presigned } = await lane.rindle.signUpload(session.id)
  await send(presigned, bytes)
  return { sessionId: session.id, bytes }
}

const inParts = async (lane: Lane): Promise<string> => {
  const bytes = await lane.picture()
  const { session } = await lane.rindle.initiateMultipartUpload('photo', { filename: 'a.png', byteSize: bytes.length })
  const { presigned } = await lane.rindle.signMultipartPart(session.id, 1)
  await send(presigned, bytes)
  return session.id
}

let counted = 0
const freshKey = (): string => `unmanaged/${(counted += 1)}.png`

const upload: Call = {
  name: 'upload',
  needs: ['put'],
  async prepare(lane) {
    const bytes = await lane.picture()
    const attempt = () => lane.rindle.upload('photo', bytes, { filename: 'a.png' })
    return {
      attempt,
      async left() {
        const { n } = await lane.one("select count(*)::int as n from rindle.media_upload_sessions where state = 'uploading'")
        return unless(n === 0, 'a session is still open')
      },
      again: async () => unless((await attempt()).state === 'validating', 'the asset does not wait for the gate'),
    }
  },
}

const store: Call = {
  name: 'store',
  needs: ['put'],
  async prepare(lane) {
    const bytes = await lane.picture()
    const attempt = () => lane.rindle.store('photo', freshKey(), bytes)
    return { attempt, again: async () => unless((await attempt()).byteSize === bytes.length, 'not all of it is stored') }
  },
}

const download: Call = {
  name: 'download',
  needs: ['get'],
  async prepare(lane) {
    const bytes = await lane.picture()
    const { key } = await lane.rindle.store('photo', freshKey(), bytes)
    const attempt = async () => {
      const chunks: Uint8Array[] = []
      await lane.rindle.download('photo', key, new WritableStream({ write: (chunk) => void chunks.push(chunk) }))
      return Buffer.concat(chunks)
    }
    return { attempt, again: async () => unless((await attempt()).equals(bytes), 'other bytes came') }
  },
}

const head: Call = {
  name: 'head',
  needs: ['head'],
  async prepare(lane) {
    const bytes = await lane.picture()
    const { key } = await lane.rindle.store('photo', freshKey(), bytes)
    const attempt = () => lane.rindle.head('photo', key)
    return { attempt, again: async () => unless((await attempt())?.byteSize === bytes.length, 'it is not there') }
  },
}

const remove: Call = {
  name: 'delete',
  needs: ['delete'],
  async prepare(lane) {
    const { key } = await lane.rindle.store('photo', freshKey(), await lane.picture())
    const attempt = () => lane.rindle.delete('photo', key)
    return {
      attempt,
      left: async () =>
        unless((await lane.one('select 1 as n from rindle.media_objects where key = $1', key))['n'] === 1, 'nobody remembers it'),
      async again() {
        await attempt()
        return unless((await lane.rindle.head('photo', key)) === null, 'it is still there')
      },
    }
  },
}

const verifyCompletion: Call = {
  name: 'verifyCompletion',
  needs: ['head'],
  async prepare(lane) {
    const { sessionId } = await landed(lane)
    const attempt = () => lane.rindle.verifyCompletion(sessionId)
    return {
      attempt,
      left: async () => unless((await stateOf(lane, 'media_upload_sessions', sessionId)) === 'signed', 'the session is not open any more'),
      again: async () => unless((await attempt()).session.state === 'completed', 'the session is not completed'),
    }
  },
}

const initiateMultipartUpload: Call = {
  name: 'initiateMultipartUpload',
  needs: ['create'],
  async prepare(lane) {
    const bytes = await lane.picture()
    const idempotencyKey = `key ${lane.random.int(2 ** 31)}`
    const owner = { type: 'User', id: 7 }
    const attempt = () => lane.rindle.initiateMultipartUpload('photo', { filename: 'a.png', byteSize: bytes.length, owner, idempotencyKey })
    const opened = () => lane.one('select id from rindle.media_upload_sessions where idempotency_key = $1', idempotencyKey)
    let first: unknown
    return {
      attempt,
      async left() {
        first = (await opened())['id']
        return unless(typeof first === 'string', 'no session waits for the call to be repeated')
      },
      async again() {
        const { session } = await attempt()
        if (first !== undefined && session.id !== first) return 'another session was opened'
        const { presigned } = await lane.rindle.signMultipartPart(session.id, 1)
        await send(presigned, bytes)
        return unless((await lane.rindle.completeMultipartUpload(session.id)).session.state === 'completed', 'the session is not completed')
      },
    }
  },
}

const signMultipartPart: Call = {
  name: 'signMultipartPart',
  needs: ['create', 'sign'],
  async prepare(lane) {
    const bytes = await lane.picture()
    const { session } = await lane.rindle.initiateMultipartUpload('photo', { filename: 'a.png', byteSize: bytes.length })
    // As after a crash between the beginning in storage and its record.
    await lane.database.query('update rindle.media_objects set upload_id = null where session_id = $1', [session.id])
    const attempt = () => lane.rindle.signMultipartPart(session.id, 1)
    return {
      attempt,
      async again() {
        await send((await attempt()).presigned, bytes)
        return unless((await lane.rindle.completeMultipartUpload(session.id)).session.state === 'completed', 'the session is not completed')
      },
    }
  },
}

const completing = (name: 'completeMultipartUpload' | 'verifyCompletion'): Call => ({
  name: name === 'verifyCompletion' ? 'verifyCompletion of parts' : name,
  needs: ['list-parts', 'complete', 'head'],
  async prepare(lane) {
    const sessionId = await inParts(lane)
    const attempt = () => lane.rindle[name](sessionId)
    return {
      attempt,
      left: async () => unless((await stateOf(lane, 'media_upload_sessions', sessionId)) === 'signed', 'the session is not open any more'),
      again: async () => unless((await attempt()).session.state === 'completed', 'the session is not completed'),
    }
  },
})

const signing: Call = {
  name: 'signUpload, presignedPut',
  needs: ['sign'],
  async prepare(lane) {
    const bytes = await lane.picture()
    const session = await lane.rindle.initiateUpload('photo', { filename: 'a.png', byteSize: bytes.length })
    const key = freshKey()
    const attempt = async () => {
      const put = await lane.rindle.presignedPut('photo', key, 60, { byteSize: bytes.length })
      const { presigned } = await lane.rindle.signUpload(session.id)
      return [put, presigned] as const
    }
    return {
      attempt,
      async again() {
        for (const ticket of await attempt()) await send(ticket, bytes)
        return unless((await lane.rindle.verifyCompletion(session.id)).session.state === 'completed', 'the session is not completed')
      },
    }
  },
}

const urls: Call = {
  name: 'url, variantUrl',
  needs: ['sign'],
  async prepare(lane) {
    const { sessionId } = await landed(lane)
    const { asset } = await lane.rindle.verifyCompletion(sessionId)
    await promoteAsset(lane.ctx, asset.id)
    const attempt = async () => [await lane.rindle.url(asset.id), await lane.rindle.variantUrl({ id: asset.id }, 'thumb')]
    return {
      attempt,
      async again() {
        const statuses = await Promise.all((await attempt()).map(async (url) => (await sendByFetch({ method: 'GET', url })).status))
        return unless(
          statuses.every((status) => status === 200),
          `their addresses are answered ${statuses.join(', ')}`,
        )
      },
    }
  },
}

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

/** What a job ends with whose row waits for another time. */
export class Waiting {
  readonly how: string

  constructor(how: string) {
    this.how = how
  }
}

/** Every call that touches storage. */
export const calls: readonly Call[] = [
  upload,
  store,
  download,
  head,
  remove,
  verifyCompletion,
  initiateMultipartUpload,
  signMultipartPart,
  completing('completeMultipartUpload'),
  completing('verifyCompletion'),
  signing,
  urls,
  gate('photo'),
  gate('paper'),
  build,
  deletion,
  lapsed,
  reconcile,
]
