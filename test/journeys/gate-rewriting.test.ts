import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, afterEach, before, describe, it } from 'node:test'
import type { StorageAdapter } from '../../src/core/ports/storage.ts'
import { executorOf, queryableOver } from '../../src/database/queryable.ts'
import { asset as readAsset } from '../../src/flows/assets/asset.ts'
import { download } from '../../src/flows/unmanaged/download.ts'
import { buildVariants } from '../../src/flows/variants/build-variants.ts'
import { promoteAsset } from '../../src/flows/variants/promote-asset.ts'
import { createSettableClock } from '../../src/testing/clock.ts'
import { faultyStorage, type StorageCall, type StorageFaultKind } from '../../src/testing/faulty-storage.ts'
import { engines } from '../services/engines.ts'
import { plainPicture } from './fixtures/plain-jail.ts'
import { openStand, type Stand } from './fixtures/uploads.ts'

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
/** As a stripper does: what is served is shorter than what came. */
const shorter = (bytes: Buffer) => ({ bytes: bytes.subarray(0, bytes.byteLength - 8), changed: null })

for (const engine of engines) {
  describe(`a file that is rewritten at the gate on ${engine.name}`, { skip: engine.skip }, () => {
    let stand: Stand
    let bare: StorageAdapter
    let plan: (call: StorageCall) => StorageFaultKind | null = () => null
    let onPut: ((key: string, body: ReadableStream<Uint8Array>) => Promise<ReadableStream<Uint8Array>>) | null = null
    before(async () => {
      stand = await openStand(engine, {
        maxBytes: 100_000_000,
        wrap: (adapter) => {
          bare = adapter
          const faulty = faultyStorage(adapter, { plan: (call) => plan(call) }).adapter
          const { put } = faulty
          return { ...faulty, put: async (key, body, options) => put(key, onPut ? await onPut(key, body) : body, options) }
        },
      })
    })
    afterEach(async () => {
      plan = () => null
      onPut = null
      await stand.empty()
    })
    after(() => stand.close())

    const land = () => {
      stand.jail.rewrite = shorter
      return stand.land()
    }
    const sealed = async () => (await stand.keys()).filter((key) => key.startsWith('sealed/'))
    const bytesAt = async (key: string) => {
      const chunks: Uint8Array[] = []
      await download(stand.ctx, 'avatar', key, new WritableStream({ write: (chunk) => void chunks.push(chunk) }))
      return Buffer.concat(chunks)
    }
    const assertServed = async (assetId: string) => {
      const came = plainPicture()
      const served = came.subarray(0, 56)
      const asset = await readAsset(stand.ctx, assetId)
      assert.deepEqual([asset?.state, asset?.byteSize, asset?.receivedSha256], ['ready', 56, sha256(came)])
      const object = await stand.one(
        `select o.key, o.byte_size::int as size, encode(o.sha256, 'hex') as sha256, o.content_type as type, o.etag
           from rindle.media_objects o join rindle.media_assets a on a.object_id = o.id where a.id = $1`,
        assetId,
      )
      const key = String(object['key'])
      assert.deepEqual([object['size'], object['sha256'], object['type']], [56, sha256(served), 'image/png'])
      assert.equal(object['etag'], (await bare.head(key))?.etag)
      assert.ok(key.endsWith('.png'))
      assert.deepEqual(await bytesAt(key), Buffer.from(served))
    }

    it('is served rewritten, with what came on record, and nothing of the first copy left', async () => {
      const { assetId } = await land()
      await stand.work()
      await assertServed(assetId)
      assert.deepEqual((await stand.states(assetId)).objects, [
        'original doomed',
        'original present',
        'staging watched',
        'variant present',
        'variant present',
      ])
      await stand.pass(9_000)
      await stand.assertLedger()
      assert.equal((await stand.keys()).length, 3)
    })

    it('has no second row where nothing had to be taken out', async () => {
      const { assetId } = await stand.land()
      await stand.work()
      assert.deepEqual((await stand.states(assetId)).objects, ['original present', 'staging watched', 'variant present', 'variant present'])
      assert.equal((await readAsset(stand.ctx, assetId))?.receivedSha256, sha256(plainPicture()))
    })

    it('costs one statement more than a file that needs nothing, which costs three', async () => {
      const inner = executorOf(stand.ctx.db.pool)
      let count = 0
      const counting = queryableOver({
        ...inner,
        execute(text, values) {
          count += 1
          return inner.execute(text, values)
        },
      })
      const statementsOf = async (assetId: string) => {
        count = 0
        assert.equal(await promoteAsset({ ...stand.ctx, db: { ...stand.ctx.db, pool: counting } }, assetId), 'admitted')
        return count
      }
      const { assetId } = await stand.land()
      assert.deepEqual([await statementsOf(assetId), await statementsOf((await land()).assetId)], [3, 4])
    })

    it('is decoded anew from what is served when variants are built again', async () => {
      const { assetId } = await land()
      await stand.work()
      await stand.database.query(`update rindle.media_variants set state = 'queued', due_at = now() where name = 'thumb'`)
      await buildVariants(stand.ctx, assetId)
      assert.deepEqual(
        stand.jail.visits.map(({ purpose }) => purpose),
        ['gate', 'build'],
      )
      await assertServed(assetId)
    })

    it('is a fault, never a verdict, when other bytes are stored than were looked at', async () => {
      const { assetId } = await land()
      onPut = async (key, body) => {
        if (!key.startsWith('sealed/')) return body
        const bytes = new Uint8Array(await new Response(body).arrayBuffer())
        bytes[20] = 99
        return new Blob([bytes]).stream()
      }
      assert.equal(await promoteAsset(stand.ctx, assetId), 'later')
      const { asset, objects, runs } = await stand.states(assetId)
      assert.deepEqual([asset, runs], ['validating', ['promote_asset failed storage_failed']])
      assert.deepEqual(objects, ['original doomed', 'original doomed', 'staging present'])
      onPut = null
      await stand.pass(60)
      await assertServed(assetId)
      await stand.pass(9_000)
      assert.equal((await sealed()).length, 1)
      await stand.assertLedger()
    })

    for (const kind of ['fail_before', 'fail_after', 'cut_body'] as const)
      it(`ends ready, with nothing lost and nothing left, wherever a call of its worker goes wrong (${kind})`, async () => {
        const calls: StorageCall[] = []
        const run = async (wrong: number | null) => {
          const { assetId } = await land()
          let count = 0
          plan = (call) => {
            if (wrong === null) calls.push(call)
            return count++ === wrong ? kind : null
          }
          await promoteAsset(stand.ctx, assetId)
          plan = () => null
          await stand.pass(300)
          await assertServed(assetId)
          await stand.pass(9_000)
          await stand.assertLedger()
          assert.equal((await stand.keys()).length, 3, `call ${wrong}`)
          await stand.empty()
        }
        await run(null)
        assert.deepEqual(calls.map(({ operation }) => operation).slice(0, 4), ['copy', 'read', 'put', 'read'])
        for (const [wrong, { operation }] of calls.entries()) if (kind !== 'cut_body' || operation === 'read') await run(wrong)
      })

    if (!engine.concurrent)
      it('is not sent whole when it is large and little of it differs', async () => {
        const came = plainPicture(65 * 1024 * 1024)
        const spot = { start: 40_000_000, end: 40_000_040 }
        stand.jail.rewrite = (bytes) => {
          const clean = Buffer.from(bytes)
          clean.fill(0, spot.start, spot.end)
          return { bytes: clean, changed: [spot] }
        }
        const calls: StorageCall[] = []
        const { assetId } = await stand.land(came)
        plan = (call) => (calls.push(call), null)
        await promoteAsset(stand.ctx, assetId)
        assert.deepEqual(
          calls.slice(0, 4).map(({ operation }) => operation),
          ['copy', 'read', 'copy', 'read'],
        )
        const clean = Buffer.from(came)
        clean.fill(0, spot.start, spot.end)
        const asset = await readAsset(stand.ctx, assetId)
        const [key = ''] = (await sealed()).filter((one) => one.includes(String(asset?.objectId)))
        assert.deepEqual([asset?.state, asset?.receivedSha256, sha256(await bytesAt(key))], ['ready', sha256(came), sha256(clean)])
      })

    it('is passed in the end by another when its worker vanishes at any moment, and that one changes nothing any more', async () => {
      for (const moment of ['put', 'read'] as const) {
        const { assetId } = await land()
        const reached = Promise.withResolvers<void>()
        const goOn = Promise.withResolvers<void>()
        let reads = 0
        const wait = async () => {
          reached.resolve()
          await goOn.promise
        }
        const visit = stand.ctx.stores
        const store = visit.of('avatar')
        const slow = {
          ...store,
          put: async (...given: Parameters<typeof store.put>) => {
            if (moment === 'put' && given[0].startsWith('sealed/')) await wait()
            return store.put(...given)
          },
          read: async (...given: Parameters<typeof store.read>) => {
            if (moment === 'read' && given[0].startsWith('sealed/') && ++reads === 2) await wait()
            return store.read(...given)
          },
        }
        const stores = { of: () => slow, at: () => slow, all: visit.all }
        const gone = promoteAsset({ ...stand.ctx, stores, clock: createSettableClock(stand.clock.now()) }, assetId)
        await reached.promise
        assert.ok((await stand.states(assetId)).objects.filter((one) => one === 'original reserved').length === 2)
        await stand.pass(40)
        await assertServed(assetId)
        goOn.resolve()
        assert.equal(await gone, 'lost')
        await assertServed(assetId)
        await stand.pass(9_000)
        await stand.assertLedger()
        assert.equal((await stand.keys()).length, 3)
        await stand.empty()
      }
    })
  })
}
