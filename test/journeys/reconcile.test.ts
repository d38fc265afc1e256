import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { sealedKey, stagingKey, variantKey } from '../../src/core/object-key.ts'
import type { StorageAdapter } from '../../src/core/ports/storage.ts'
import { reconcileAfterSeconds, reconcileAgainSeconds, reconcileEverySeconds } from '../../src/core/schedule.ts'
import { doubtClock } from '../../src/database/queries/leases.ts'
import { reconcileLoop } from '../../src/doors/worker/reconcile-loop.ts'
import { reconcileStorage } from '../../src/flows/ops/reconcile-storage.ts'
import { upload } from '../../src/flows/uploads/upload.ts'
import { createMemoryBucket } from '../../src/testing/memory-bucket.ts'
import { engines } from '../services/engines.ts'
import { plainPicture } from './fixtures/plain-processor.ts'
import { openStand, type Stand } from './fixtures/uploads.ts'

const contentType = 'image/png'
const day = 86_400

for (const engine of engines) {
  describe(`holding storage against the rows on ${engine.name}`, { skip: engine.skip }, () => {
    let stand: Stand
    let bucket: StorageAdapter
    /** What the bucket does besides, when a test says so. */
    const trouble: { listing?: () => Promise<void>; deleting?: (key: string) => Promise<void> } = {}

    before(async () => {
      const bare = createMemoryBucket({ clock: { now: () => stand.clock.now() }, name: 'reconcile' }).adapter
      bucket = {
        ...bare,
        async delete(key, options) {
          await trouble.deleting?.(key)
          return bare.delete(key, options)
        },
        async *list(prefix, options) {
          await trouble.listing?.()
          yield* bare.list(prefix, options)
        },
      }
      stand = await openStand(engine, { storage: bucket })
    })
    afterEach(async () => {
      delete trouble.listing
      delete trouble.deleting
      await stand.empty()
      for await (const { key, uploadId } of uploads()) await bucket.multipart?.abort(key, uploadId)
    })
    after(() => stand.close())

    const uploads = () => bucket.multipart?.list('') ?? assert.fail('it takes parts')
    const begun = async (): Promise<string[]> => {
      const ids: string[] = []
      for await (const { uploadId } of uploads()) ids.push(uploadId)
      return ids.sort()
    }
    const id = () => stand.ctx.ids.next()
    const put = async (key: string) => bucket.put(key, new Blob(['stray']).stream(), { contentType })
    const begin = async (key: string) => (await bucket.multipart?.create(key, { contentType })) ?? assert.fail('it takes parts')
    const reconcile = (holder = 'test', signal?: AbortSignal) => reconcileStorage(stand.ctx, { holder, ...(signal ? { signal } : {}) })
    /** So many files that went through the gate, with a variant each. */
    const admit = async (count: number) => {
      for (let left = count; left > 0; left -= 1) await upload(stand.ctx, 'avatar', plainPicture(), { filename: 'me.png' })
      await stand.work()
    }
    const said = (level: string) => stand.logged.filter((line) => line.level === level).map(({ fields }) => fields)

    it('takes away what is a day old and has no row, and nothing else', async () => {
      await admit(3)
      const known = await stand.keys()
      const strays = [stagingKey(id(), id()), sealedKey(id(), id(), 'png'), variantKey(id(), 'thumb', id(), 'webp')]
      const others = [`unmanaged/${id()}`, 'staging/readme.txt', `sealed/2026/${id()}.png`, `other/${id()}/${id()}`]
      for (const key of [...strays, ...others]) await put(key)
      stand.clock.advance(day + 1)
      const young = stagingKey(id(), id())
      await put(young)

      const { outcome, stores } = await reconcile()
      assert.equal(outcome, 'done')
      const counts = { listed: known.length + 4, unknown: 4, deleted: 3, aborted: 0, left: 0, refused: false }
      assert.deepEqual(stores, [{ store: bucket.id, ...counts }])
      assert.deepEqual(await stand.keys(), [...known, ...others, young].sort())
      assert.deepEqual(said('warn'), [{ event: 'storage_reconciled', store: bucket.id, ...counts }])
    })

    it('aborts uploads in parts that are a day old, unless an open session names them', async () => {
      const session = await stand.initiate()
      const { key } = await stand.one('select key from rindle.media_objects')
      const [named, forgotten] = [await begin(String(key)), await begin(String(key))]
      await stand.database.query('update rindle.media_objects set upload_id = $1', [named])
      const [lost, theirs, copy] = [
        await begin(stagingKey(id(), id())),
        await begin('unmanaged/film'),
        await begin(sealedKey(id(), id(), null)),
      ]
      stand.clock.advance(day + 1)
      const young = await begin(stagingKey(id(), id()))

      const { stores } = await reconcile()
      assert.deepEqual(await begun(), [named, theirs, young].sort(), `${forgotten}, ${lost} and ${copy} are gone`)
      assert.equal(stores[0]?.aborted, 3)
      await stand.database.query(`update rindle.media_objects set state = 'doomed', due_at = now() where session_id = $1`, [session.id])
      await reconcile()
      assert.deepEqual(await begun(), [theirs, young].sort())
    })

    it('leaves a store alone most of whose objects have no row here', async () => {
      await admit(1)
      const known = await stand.keys()
      for (const _ of [...known, 'one more']) await put(sealedKey(id(), id(), 'png'))
      const lost = await begin(stagingKey(id(), id()))
      stand.clock.advance(day + 1)
      const { stores } = await reconcile()
      assert.deepEqual(
        stores.map(({ refused, deleted, unknown }) => ({ refused, deleted, unknown })),
        [{ refused: true, deleted: 0, unknown: known.length + 1 }],
      )
      assert.equal((await stand.keys()).length, 2 * known.length + 1)
      assert.deepEqual(await begun(), [lost])
      assert.equal(said('error').length, 1)
      await stand.ctx.stores.at(bucket.id).delete((await stand.keys()).find((key) => !known.includes(key)) ?? '')
      assert.equal((await reconcile()).stores[0]?.deleted, known.length, 'half is not most')
    })

    it('looks at more than a page of keys', async () => {
      const count = 2_300
      const keys = Array.from({ length: count }, () => sealedKey(id(), id(), 'png'))
      for (const key of keys) await put(key)
      await stand.database.query(
        `insert into rindle.media_objects (id, role, store, key, state, inserted_at, state_changed_at)
         select gen_random_uuid(), 'unmanaged', $1, k.key, 'present', now(), now() from unnest($2::text[]) k (key)`,
        [bucket.id, keys.slice(0, 1_900)],
      )
      stand.clock.advance(day + 1)
      const { stores } = await reconcile()
      assert.deepEqual([stores[0]?.listed, stores[0]?.deleted], [count, 400])
      assert.deepEqual(await stand.keys(), keys.slice(0, 1_900).sort())
    })

    it('happens once a day for all workers, and at once again where it was broken off', async () => {
      assert.equal((await reconcile('one')).outcome, 'done')
      assert.equal((await reconcile('other')).outcome, 'elsewhere')
      stand.clock.advance(day + 1)
      const stop = new AbortController()
      trouble.listing = async () => stop.abort(new Error('stopped'))
      assert.equal((await reconcile('other', stop.signal)).outcome, 'stopped')
      delete trouble.listing
      assert.equal((await reconcile('one')).outcome, 'done')
      assert.deepEqual(said('error'), [])
    })

    it('touches nothing while the clocks are doubted, also when the doubt comes while it lists', async () => {
      await admit(2)
      await put(stagingKey(id(), id()))
      stand.clock.advance(day + 1)
      const before = await stand.keys()
      const doubt = () => doubtClock(stand.ctx.db.pool, new Date(stand.clock.now().getTime() + 3_600_000))
      trouble.listing = doubt
      assert.deepEqual(
        (await reconcile()).stores.map(({ deleted, left }) => ({ deleted, left })),
        [{ deleted: 0, left: 1 }],
      )
      assert.equal((await reconcile()).outcome, 'doubted')
      assert.deepEqual(await stand.keys(), before)
      delete trouble.listing
      stand.clock.advance(3_601)
      assert.equal((await reconcile()).stores[0]?.deleted, 1)
    })

    it('takes away what it can where some deletions fail, and is not stopped by a store that cannot list', async () => {
      await admit(3)
      const [stuck, free] = [stagingKey(id(), id()), stagingKey(id(), id())]
      for (const key of [stuck, free]) await put(key)
      stand.clock.advance(day + 1)
      trouble.deleting = async (key) => {
        if (key === stuck) throw new Error('the bucket is on fire')
      }
      const [drift] = (await reconcile()).stores
      assert.deepEqual([drift?.deleted, drift?.left], [1, 1])
      assert.ok((await stand.keys()).includes(stuck))
      trouble.listing = async () => {
        throw new Error('the bucket is on fire')
      }
      assert.deepEqual(await reconcile(), { outcome: 'done', stores: [] })
      assert.equal(said('error').length, 1)
    })

    it('is done by a worker some minutes after its start and then daily, and asked for hourly where another does it', async () => {
      const signal = new AbortController().signal
      const [one, other] = [reconcileLoop(stand.ctx, 'one', signal), reconcileLoop(stand.ctx, 'other', signal)]
      assert.equal(await one.turn(), reconcileAfterSeconds * 1000)
      stand.clock.advance(reconcileAfterSeconds)
      assert.equal(await one.turn(), reconcileEverySeconds * 1000)
      assert.equal(await other.turn(), reconcileAgainSeconds * 1000)
    })
  })
}
