import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { objectIdOfKey, sealedKey, stagingKey, variantKey } from '../../src/core/object-key.ts'
import { RindleError } from '../../src/core/errors.ts'
import type { StorageAdapter } from '../../src/core/ports/storage.ts'
import { reconcileAfterSeconds, reconcileAgainSeconds, reconcileEverySeconds } from '../../src/core/schedule.ts'
import { doubtClock } from '../../src/database/queries/leases.ts'
import { reconcileLoop } from '../../src/doors/worker/reconcile-loop.ts'
import { reconcileStorage } from '../../src/flows/ops/reconcile-storage.ts'
import { purge } from '../../src/flows/assets/purge.ts'
import { upload } from '../../src/flows/uploads/upload.ts'
import { createMemoryBucket } from '../../src/testing/memory-bucket.ts'
import { engines } from '../services/engines.ts'
import { plainPicture } from './fixtures/plain-jail.ts'
import { openStand, type Stand } from './fixtures/uploads.ts'

const contentType = 'image/png'
const day = 86_400

for (const engine of engines) {
  describe(`holding storage against the rows on ${engine.name}`, { skip: engine.skip }, () => {
    let stand: Stand
    let bucket: StorageAdapter
    /** What the bucket does besides, when a test says so. */
    const trouble: { listing?: () => Promise<void>; breaking?: (key: string) => boolean; deleting?: (key: string) => Promise<void> } = {}

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
          for await (const object of bare.list(prefix, options)) {
            if (trouble.breaking?.(object.key)) throw new Error('this page cannot be read')
            yield object
          }
        },
      }
      stand = await openStand(engine, { storage: bucket })
    })
    afterEach(async () => {
      delete trouble.listing
      delete trouble.breaking
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
    /** As if the object had had a row, and had been deleted and forgotten. */
    const forget = async (...keys: readonly string[]) => {
      const ids = keys.map((key) => objectIdOfKey(key))
      await stand.database.query(
        `insert into rindle.state_moves (at, entity, entity_id, move, from_state, to_state)
         select $2, 'object', g.id, 'forget', 'watched', 'gone' from unnest($1::uuid[]) g (id)`,
        [ids, stand.clock.now()],
      )
    }
    /** What came back: an object, and where it lies. */
    const comeBack = async (...keys: readonly string[]) => {
      for (const key of keys) await put(key)
      await forget(...keys)
    }
    const said = (level: string) => stand.logged.filter((line) => line.level === level).map(({ fields }) => fields)

    /** Forgets whatever came after that instant, as a dump that was made then never knew it. */
    const restore = async (at: Date) => {
      const later = 'asset_id in (select a.id from rindle.media_assets a where a.inserted_at > $1)'
      await stand.database.query(
        `with v as (delete from rindle.media_variants where ${later}), o as (delete from rindle.media_objects where ${later}),
              s as (delete from rindle.media_upload_sessions where ${later}), r as (delete from rindle.media_processing_runs where ${later})
         delete from rindle.media_assets where inserted_at > $1`,
        [at],
      )
      await stand.database.query('delete from rindle.state_moves where at > $1', [at])
    }

    it('takes away what was deleted before and came back a day ago, and nothing else', async () => {
      await admit(3)
      const known = await stand.keys()
      const strays = [stagingKey(id(), id()), sealedKey(id(), id(), 'png'), variantKey(id(), 'thumb', id(), 'webp')]
      const others = [`unmanaged/${id()}`, 'staging/readme.txt', `sealed/2026/${id()}.png`, `other/${id()}/${id()}`]
      await comeBack(...strays)
      for (const key of others) await put(key)
      stand.clock.advance(day + 1)
      const young = stagingKey(id(), id())
      await comeBack(young)

      const { outcome, stores } = await reconcile()
      assert.equal(outcome, 'done')
      const counts = { listed: known.length + 4, unknown: 4, foreign: 0, deleted: 3, aborted: 0, left: 0, unread: [] }
      assert.deepEqual(stores, [{ store: bucket.id, ...counts }])
      assert.deepEqual(await stand.keys(), [...known, ...others, young].sort())
      assert.deepEqual(said('warn'), [
        { event: 'strays_taken', store: bucket.id, what: 'objects', keys: strays },
        { event: 'storage_reconciled', store: bucket.id, ...counts },
      ])
      assert.deepEqual(said('error'), [])
    })

    it('takes away what a request brings back whose object was purged and forgotten long ago', async () => {
      const { id: assetId } = await upload(stand.ctx, 'avatar', plainPicture(), { filename: 'me.png' })
      await stand.work()
      const keys = await stand.keys()
      await purge(stand.ctx, assetId)
      await stand.pass(3 * day)
      assert.deepEqual([await stand.keys(), (await stand.one('select count(*)::int as n from rindle.media_objects'))['n']], [[], 0])
      for (const key of keys) await put(key)
      stand.clock.advance(day + 1)
      const [drift] = (await reconcile()).stores
      assert.deepEqual([drift?.deleted, drift?.foreign], [keys.length, 0])
      assert.deepEqual(await stand.keys(), [])
    })

    it('deletes nothing that was made after the dump this database was restored from, few or many, and says so', async () => {
      await admit(2)
      const dump = stand.clock.now()
      stand.clock.advance(1)
      await admit(3)
      const inParts = stagingKey(id(), id())
      const lost = await begin(inParts)
      const late = sealedKey(id(), id(), 'png')
      await restore(dump)
      await comeBack(late)
      stand.clock.advance(day + 1)
      const before = await stand.keys()

      const [drift] = (await reconcile()).stores
      assert.ok(drift && drift.foreign > 3)
      assert.deepEqual([drift.deleted, drift.aborted, drift.left], [1, 0, 0], 'what came back is no reason to touch the others')
      assert.deepEqual(
        await stand.keys(),
        before.filter((key) => key !== late),
      )
      assert.deepEqual(await begun(), [lost])
      const [error, ...more] = said('error')
      assert.deepEqual(more, [])
      assert.ok(error && 'foreign' in error && 'examples' in error && Array.isArray(error.examples))
      assert.equal(error.foreign, drift.foreign)
      assert.ok(error.examples.length > 0 && error.examples.every((key) => [...before, inParts].includes(String(key))))
    })

    it('aborts uploads in parts that are a day old, unless an open session names them', async () => {
      const session = await stand.initiate()
      const { key } = await stand.one('select key from rindle.media_objects')
      const [named, second] = [await begin(String(key)), await begin(String(key))]
      await stand.database.query('update rindle.media_objects set upload_id = $1', [named])
      const gone = [stagingKey(id(), id()), sealedKey(id(), id(), null)]
      const [lost, copy] = [await begin(gone[0] ?? ''), await begin(gone[1] ?? '')]
      await forget(...gone)
      const [theirs, foreign] = [await begin('unmanaged/film'), await begin(stagingKey(id(), id()))]
      stand.clock.advance(day + 1)
      const young = await begin(stagingKey(id(), id()))

      const { stores } = await reconcile()
      assert.deepEqual(await begun(), [named, theirs, foreign, young].sort(), `${second}, ${lost} and ${copy} are gone`)
      assert.deepEqual([stores[0]?.aborted, stores[0]?.foreign], [3, 1])
      await stand.database.query(`update rindle.media_objects set state = 'doomed', due_at = now() where session_id = $1`, [session.id])
      await reconcile()
      assert.deepEqual(await begun(), [theirs, foreign, young].sort())
      stand.clock.advance(6 * day)
      await reconcile()
      assert.deepEqual(await begun(), [foreign, young].sort(), 'nobody sends below unmanaged/ for a week')
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
      await forget(...keys.slice(1_950))
      stand.clock.advance(day + 1)
      const { stores } = await reconcile()
      assert.deepEqual([stores[0]?.listed, stores[0]?.foreign, stores[0]?.deleted], [count, 50, 350])
      assert.deepEqual(await stand.keys(), keys.slice(0, 1_950).sort())
      const told = said('warn').flatMap((fields) => ('keys' in fields && Array.isArray(fields.keys) ? fields.keys.map(String) : []))
      assert.deepEqual(told.sort(), keys.slice(1_950).sort(), 'every key is in the log')
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
      await comeBack(stagingKey(id(), id()))
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

    it('takes away what it can where deletions fail, and says why once', async () => {
      await admit(3)
      const [stuck, jammed, free] = [stagingKey(id(), id()), stagingKey(id(), id()), stagingKey(id(), id())]
      await comeBack(stuck, jammed, free)
      stand.clock.advance(day + 1)
      trouble.deleting = async (key) => {
        if (key !== free) throw new Error('the bucket is on fire')
      }
      const [drift] = (await reconcile()).stores
      assert.deepEqual([drift?.deleted, drift?.left], [1, 2])
      assert.equal(said('warn').filter((fields) => 'event' in fields && fields.event === 'stray_kept').length, 1)
    })

    it('goes as far as lists do, and tells which broke off', async () => {
      const [early, late] = [stagingKey(id(), id()), stagingKey(id(), id())].sort() as [string, string]
      const elsewhere = sealedKey(id(), id(), 'png')
      await comeBack(early, late, elsewhere)
      const lost = await begin(early)
      stand.clock.advance(day + 1)
      trouble.breaking = (key) => key === late
      const [drift] = (await reconcile()).stores
      assert.deepEqual(drift?.unread, ['staging/'])
      delete trouble.breaking
      assert.deepEqual([await stand.keys(), await begun()], [[late], []], `${lost} was aborted`)
      trouble.listing = async () => {
        throw new Error('the bucket is on fire')
      }
      assert.deepEqual((await reconcile()).stores[0]?.unread, ['staging/', 'sealed/', 'variants/'])
      assert.equal(said('error').length, 2)
    })

    it('is done by a worker some minutes after its start and then daily, and asked for hourly where another does it', async () => {
      const signal = new AbortController().signal
      const [one, other] = [reconcileLoop(stand.ctx, 'one', signal), reconcileLoop(stand.ctx, 'other', signal)]
      assert.equal(await one.turn(), reconcileAfterSeconds * 1000)
      stand.clock.advance(reconcileAfterSeconds)
      assert.equal(await one.turn(), reconcileEverySeconds * 1000)
      assert.equal(await other.turn(), reconcileAgainSeconds * 1000)
    })

    it('rests for an hour where the database goes away in its middle, and then begins again', async () => {
      const loop = reconcileLoop(stand.ctx, 'one', new AbortController().signal)
      stand.clock.advance(reconcileAfterSeconds)
      const gone = new RindleError('database_unavailable', { operation: 'list' })
      trouble.listing = async () => {
        throw gone
      }
      assert.equal(await loop.turn(), reconcileAgainSeconds * 1000)
      assert.deepEqual(said('warn'), [{ event: 'reconcile_broken_off', err: gone }])
      delete trouble.listing
      assert.equal(await loop.turn(), reconcileEverySeconds * 1000)
    })
  })
}
