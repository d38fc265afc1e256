import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { sql } from 'kysely'
import { messageOf, RindleError } from '../../src/core/errors.ts'
import { secondsAfter } from '../../src/core/patience.ts'
import { variantMachine } from '../../src/core/variant.ts'
import { assetMachine } from '../../src/core/asset.ts'
import { moved } from '../../src/database/move.ts'
import { moves } from '../../src/database/statement.ts'
import { asset as readAsset } from '../../src/flows/assets/asset.ts'
import { purge } from '../../src/flows/assets/purge.ts'
import { buildVariants } from '../../src/flows/variants/build-variants.ts'
import { requeueVariants } from '../../src/flows/variants/requeue-variants.ts'
import { createSettableClock } from '../../src/testing/clock.ts'
import { engines } from '../services/engines.ts'
import { killedDecoder } from './fixtures/plain-jail.ts'
import { openStand, type Stand } from './fixtures/uploads.ts'

for (const engine of engines) {
  describe(`building variants again on ${engine.name}`, { skip: engine.skip }, () => {
    let stand: Stand
    let refuse: (() => Error) | null = null
    before(async () => {
      stand = await openStand(engine, {
        wrap: (adapter) => ({
          ...adapter,
          put: async (...given) => {
            if (refuse) throw refuse()
            return adapter.put(...given)
          },
        }),
      })
    })
    afterEach(() => {
      refuse = null
      return stand.empty()
    })
    after(async () => {
      for (const end of ends) end(new Error('gone'))
      await Promise.allSettled(vanished)
      await stand.close()
    })
    const vanished: Promise<unknown>[] = []
    const ends: ((reason: Error) => void)[] = []

    /** A ready asset whose variants of these names wait to be made again. */
    const waiting = async (...names: string[]) => {
      const { assetId } = await stand.land()
      await stand.work()
      assert.equal((await stand.states(assetId)).asset, 'ready')
      const at = stand.clock.now()
      await moves(
        stand.ctx.db.pool,
        stand.ctx,
        [
          moved('asset', assetMachine, ['process'], { where: sql`t.id = ${assetId}::uuid` }),
          moved('stale', variantMachine, ['outdate'], {
            where: sql`t.asset_id = ${assetId}::uuid and t.name = any(${names}::text[])`,
            expect: names.length,
          }),
        ],
        { at },
      )
      await moves(stand.ctx.db.pool, stand.ctx, [
        moved('queued', variantMachine, ['enqueue'], {
          set: { due_at: secondsAfter(at, 60) },
          where: sql`t.asset_id = ${assetId}::uuid and t.name = any(${names}::text[])`,
          expect: names.length,
        }),
      ])
      return assetId
    }
    const objectOf = async (assetId: string, name: string) =>
      (await stand.one('select object_id from rindle.media_variants where asset_id = $1 and name = $2', assetId, name))['object_id']

    it('makes what is queued, swaps it in, and throws the old object away', async () => {
      const assetId = await waiting('thumb')
      const [thumb, large] = [await objectOf(assetId, 'thumb'), await objectOf(assetId, 'large')]
      assert.ok(thumb)
      assert.equal(await buildVariants(stand.ctx, assetId), 'built')
      const { asset, variants, runs, objects } = await stand.states(assetId)
      assert.deepEqual([asset, variants], ['ready', ['large ready', 'thumb ready']])
      assert.deepEqual(runs, ['promote_asset succeeded', 'build_variants succeeded'])
      assert.notEqual(await objectOf(assetId, 'thumb'), thumb)
      assert.equal(await objectOf(assetId, 'large'), large)
      assert.deepEqual(objects, ['original present', 'staging watched', 'variant doomed', 'variant present', 'variant present'])
      assert.equal(stand.jail.visits.at(-1)?.purpose, 'build')
      assert.deepEqual(
        stand.jail.visits.at(-1)?.variants.map(({ name }) => name),
        ['thumb'],
      )
      assert.equal(await buildVariants(stand.ctx, assetId), 'nothing')
      await stand.pass(9_000)
      await stand.assertLedger()
      assert.equal((await stand.keys()).length, 3)
    })

    it('has nothing to do for what is not there, not through the gate, or being purged', async () => {
      assert.equal(await buildVariants(stand.ctx, '00000000-0000-7000-8000-000000000000'), 'nothing')
      assert.equal(await buildVariants(stand.ctx, (await stand.land()).assetId), 'nothing')
      const gone = await waiting('thumb')
      await purge(stand.ctx, gone)
      assert.equal(await buildVariants(stand.ctx, gone), 'nothing')
    })

    it('keeps serving the old object while a fault passes by, and tries again later', async () => {
      const assetId = await waiting('thumb', 'large')
      const thumb = await objectOf(assetId, 'thumb')
      stand.jail.before = () => {
        throw new RindleError('decoder_unavailable', { problem: 'test' })
      }
      assert.equal(await buildVariants(stand.ctx, assetId), 'later')
      assert.deepEqual((await stand.states(assetId)).variants, ['large queued', 'thumb queued'])
      assert.equal(await objectOf(assetId, 'thumb'), thumb)
      stand.jail.before = null
      await stand.pass(200)
      const { asset, runs } = await stand.states(assetId)
      assert.equal(asset, 'ready')
      assert.deepEqual(runs, ['promote_asset succeeded', 'build_variants failed decoder_unavailable', 'build_variants succeeded'])
    })

    it('waits longer each time for a storage that takes no variant, and says which and why', async () => {
      const assetId = await waiting('thumb')
      refuse = () => new Error('507 the bucket is full')
      const waits: number[] = []
      for (let round = 0; round < 4; round++) {
        assert.equal(await buildVariants(stand.ctx, assetId), 'later')
        const due = (await stand.one(`select due_at from rindle.media_variants where name = 'thumb'`))['due_at']
        waits.push(Math.round(((due instanceof Date ? due.getTime() : 0) - stand.clock.now().getTime()) / 1000))
      }
      assert.deepEqual(waits, [65, 70, 80, 100])
      const said = stand.logged.filter(({ level, fields }) => level === 'warn' && 'variant' in fields)
      assert.equal(said.length, 4)
      const { asset, name, store, code, faults, err } = (said.at(-1)?.fields ?? {}) as Record<string, unknown>
      assert.deepEqual(
        { asset, name, store, code, faults },
        { asset: assetId, name: 'thumb', store: 'memory:stand', code: 'storage_failed', faults: 4 },
      )
      assert.match(String(err instanceof Error && err.cause), /507 the bucket is full/)
      refuse = null
      assert.equal(await buildVariants(stand.ctx, assetId), 'built')
      assert.equal((await stand.states(assetId)).asset, 'ready')
    })

    it('never gives a variant up for a folder that jobs cannot write to', async () => {
      const assetId = await waiting('thumb')
      const nowhere = { ...stand.ctx, host: { ...stand.ctx.host, scratchFolder: '/proc/nowhere' } }
      for (let round = 0; round < 7; round++) assert.equal(await buildVariants(nowhere, assetId), 'later')
      assert.equal(await buildVariants(stand.ctx, assetId), 'built')
      assert.equal((await stand.states(assetId)).asset, 'ready')
    })

    it('waits for room on the disk before it fetches the original', async () => {
      const assetId = await waiting('thumb')
      const full = { ...stand.ctx, host: { ...stand.ctx.host, freeBytes: () => 64 * 1024 * 1024 } }
      const visits = stand.jail.visits.length
      for (let round = 0; round < 7; round++) assert.equal(await buildVariants(full, assetId), 'later')
      assert.equal(stand.jail.visits.length, visits)
      assert.equal(await buildVariants(stand.ctx, assetId), 'built')
      assert.equal((await stand.states(assetId)).asset, 'ready')
    })

    it('fails a variant over which the decoder died twice, and never holds the asset back', async () => {
      const assetId = await waiting('thumb')
      stand.jail.before = () => {
        throw killedDecoder()
      }
      assert.equal(await buildVariants(stand.ctx, assetId), 'later')
      assert.equal(await buildVariants(stand.ctx, assetId), 'built')
      const { asset, variants } = await stand.states(assetId)
      assert.deepEqual([asset, variants], ['degraded', ['large ready', 'thumb failed']])
      const row = await stand.one(`select error_code, error_detail from rindle.media_variants where name = 'thumb'`)
      assert.deepEqual(row, { error_code: 'decoder_killed', error_detail: messageOf('decoder_killed', { reason: 'test' }) })
    })

    it('says so when the original itself is gone', async () => {
      const assetId = await waiting('thumb')
      const { store, key } = await stand.one(`select store, key from rindle.media_objects where role = 'original'`)
      await stand.ctx.stores.at(String(store)).delete(String(key))
      assert.equal(await buildVariants(stand.ctx, assetId), 'built')
      assert.deepEqual((await stand.states(assetId)).asset, 'degraded')
      assert.equal((await readAsset(stand.ctx, assetId))?.error?.code, 'original_missing')
    })

    it('takes over from a worker that is gone, and nothing of that one counts', async () => {
      const assetId = await waiting('thumb')
      const begun = Promise.withResolvers<void>()
      const awake = Promise.withResolvers<void>()
      stand.jail.before = async () => {
        stand.jail.before = null
        begun.resolve()
        await awake.promise
      }
      const zombie = buildVariants({ ...stand.ctx, clock: createSettableClock(stand.clock.now()) }, assetId)
      await begun.promise
      await stand.pass(60)
      const taken = await stand.states(assetId)
      assert.deepEqual([taken.asset, taken.variants], ['ready', ['large ready', 'thumb ready']])
      const thumb = await objectOf(assetId, 'thumb')
      awake.resolve()
      await zombie
      assert.deepEqual((await stand.states(assetId)).variants, taken.variants)
      assert.equal(await objectOf(assetId, 'thumb'), thumb)
      await stand.pass(90_000)
      await stand.pass(90_000)
      await stand.assertLedger()
      assert.equal((await stand.keys()).length, 3)
    })

    const loseFiveWorkersOver = async (assetId: string): Promise<void> => {
      for (let lost = 0; lost < 5; lost++) {
        const begun = Promise.withResolvers<void>()
        stand.jail.before = () => {
          begun.resolve()
          return new Promise<never>((_, reject) => ends.push(reject))
        }
        vanished.push(buildVariants({ ...stand.ctx, clock: createSettableClock(stand.clock.now()) }, assetId))
        await begun.promise
        stand.clock.advance(31)
      }
      stand.jail.before = null
    }

    it('gives variants up over which five workers in a row were lost', async () => {
      const assetId = await waiting('thumb')
      await loseFiveWorkersOver(assetId)
      assert.equal(await buildVariants(stand.ctx, assetId), 'built')
      assert.deepEqual((await stand.states(assetId)).variants, ['large ready', 'thumb failed'])
      assert.equal((await stand.one(`select error_code from rindle.media_variants where name = 'thumb'`))['error_code'], 'worker_lost')
    })

    it('gives them up although what is made beside them meets a fault, and tries only that again', async () => {
      const assetId = await waiting('thumb')
      await loseFiveWorkersOver(assetId)
      await stand.database.query(`update rindle.media_variants set state = 'stale', previous_state = 'ready' where name = 'large'`)
      await requeueVariants(stand.ctx, assetId, { variants: ['large'] })
      stand.jail.before = () => {
        throw killedDecoder()
      }
      assert.equal(await buildVariants(stand.ctx, assetId), 'later')
      assert.deepEqual((await stand.states(assetId)).variants, ['large queued', 'thumb failed'])
      assert.equal((await stand.one(`select error_code from rindle.media_variants where name = 'thumb'`))['error_code'], 'worker_lost')
    })

    it('is done by one of several workers', async () => {
      const assetId = await waiting('thumb', 'large')
      const outcomes = await Promise.all(Array.from({ length: 4 }, () => buildVariants(stand.ctx, assetId)))
      assert.deepEqual(outcomes.toSorted(), ['built', 'nothing', 'nothing', 'nothing'])
      assert.equal((await stand.states(assetId)).asset, 'ready')
    })

    it('leaves a variant stale that was wanted otherwise while it was being made', async () => {
      const assetId = await waiting('thumb')
      stand.jail.before = async () => {
        stand.jail.before = null
        await stand.database.query(`update rindle.media_variants set recipe_digest = '\\x01' where name = 'thumb'`)
        await stand.database.query(`update rindle.media_assets set revision = revision + 1`)
      }
      assert.equal(await buildVariants(stand.ctx, assetId), 'built')
      const { asset, variants } = await stand.states(assetId)
      assert.deepEqual([asset, variants], ['ready', ['large ready', 'thumb stale']])
    })

    it('leaves alone an asset that is purged while its variants are made', async () => {
      const assetId = await waiting('thumb')
      stand.jail.before = async () => {
        stand.jail.before = null
        await purge(stand.ctx, assetId)
      }
      await buildVariants(stand.ctx, assetId)
      assert.equal((await stand.states(assetId)).asset, 'deleted')
      for (let day = 0; day < 3; day++) await stand.pass(90_000)
      assert.deepEqual(await stand.keys(), [])
      assert.equal((await stand.one('select count(*)::int as n from rindle.media_assets'))['n'], 0)
    })
  })
}
