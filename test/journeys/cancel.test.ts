import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import { after, afterEach, before, describe, it } from 'node:test'
import { messageOf, type RindleError } from '../../src/core/errors.ts'
import { buildVariants } from '../../src/flows/variants/build-variants.ts'
import { cancelProcessing } from '../../src/flows/variants/cancel-processing.ts'
import { requeueVariants } from '../../src/flows/variants/requeue-variants.ts'
import { engines } from '../services/engines.ts'
import { openStand, type Stand } from './fixtures/uploads.ts'

const nobody = '00000000-0000-7000-8000-000000000000'

for (const engine of engines) {
  describe(`cancelling and asking again on ${engine.name}`, { skip: engine.skip }, () => {
    let stand: Stand
    before(async () => {
      stand = await openStand(engine)
    })
    afterEach(() => stand.empty())
    after(() => stand.close())

    const refused = (code: string) => (err: RindleError) => err.code === code
    const ready = async (): Promise<string> => {
      const { assetId } = await stand.land()
      await stand.work()
      assert.equal((await stand.states(assetId)).asset, 'ready')
      return assetId
    }
    /** A ready asset whose variants were asked for once more. */
    const asked = async (...names: ('thumb' | 'large')[]): Promise<string> => {
      const assetId = await ready()
      await stand.database.query(
        `update rindle.media_variants set state = 'failed', previous_state = 'processing', error_code = 'variant_failed', error_detail = 'a test' where name = any($1)`,
        [names],
      )
      await stand.database.query(`update rindle.media_assets set state = 'degraded', previous_state = 'processing'`)
      assert.deepEqual(await requeueVariants(stand.ctx, assetId), names.toSorted())
      return assetId
    }

    /** Ticks of a tenth of a second, each with time for what the database has to tell. */
    const letPass = async (ticks: number, isOver = (): boolean => false): Promise<void> => {
      for (let tick = 0; tick < ticks && !isOver(); tick++) {
        stand.clock.advance(0.1)
        await pause(20)
      }
    }
    it('makes again what failed, by a job of the same commit', async () => {
      const assetId = await asked('thumb')
      const before = await stand.states(assetId)
      assert.deepEqual([before.asset, before.variants], ['processing', ['large ready', 'thumb queued']])
      await stand.work()
      const { asset, variants, runs } = await stand.states(assetId)
      assert.deepEqual([asset, variants], ['ready', ['large ready', 'thumb ready']])
      assert.deepEqual(runs, ['promote_asset succeeded', 'build_variants succeeded'])
      assert.deepEqual(await requeueVariants(stand.ctx, assetId), [])
      await stand.pass(90_000)
      await stand.assertLedger()
    })

    it('makes those again that are named, and leaves what is ready or on its way', async () => {
      const assetId = await asked('thumb', 'large')
      assert.deepEqual(await requeueVariants(stand.ctx, assetId, { variants: ['thumb', 'large'] }), [])
      await stand.work()
      assert.deepEqual(await requeueVariants(stand.ctx, assetId, { variants: ['thumb'] }), [])
      await stand.database.query(`update rindle.media_variants set state = 'stale', previous_state = 'ready' where name = 'large'`)
      assert.deepEqual(await requeueVariants(stand.ctx, assetId), [])
      assert.deepEqual(await requeueVariants(stand.ctx, assetId, { variants: ['large'] }), ['large'])
      await stand.work()
      assert.deepEqual((await stand.states(assetId)).variants, ['large ready', 'thumb ready'])
    })

    it('stops what waits, in one statement with the state of the asset, and says who and why', async () => {
      const assetId = await asked('thumb', 'large')
      assert.deepEqual(await cancelProcessing(stand.ctx, assetId, { actor: 'an operator', reason: 'too dear' }), ['large', 'thumb'])
      const { asset, variants } = await stand.states(assetId)
      assert.deepEqual([asset, variants], ['degraded', ['large cancelled', 'thumb cancelled']])
      const row = await stand.one(`select error_code, error_detail from rindle.media_variants where name = 'thumb'`)
      assert.deepEqual(row, { error_code: 'processing_cancelled', error_detail: messageOf('processing_cancelled', {}) })
      const said = await stand.one(`select actor, reason from rindle.state_moves where entity = 'variant' and move = 'cancel' limit 1`)
      assert.deepEqual(said, { actor: 'an operator', reason: 'too dear' })
      await stand.work()
      assert.deepEqual((await stand.states(assetId)).variants, variants)
    })

    for (const whose of ['its own', 'the app’s'])
      it(`ends within seconds of the commit of ${whose} transaction what a worker is making, and nothing of it counts or stays`, async () => {
        const assetId = await asked('thumb', 'large')
        const [begun, ended] = [Promise.withResolvers<void>(), Promise.withResolvers<unknown>()]
        stand.jail.before = ({ signal }) => {
          begun.resolve()
          return new Promise((_, reject) => {
            signal?.addEventListener('abort', () => {
              ended.resolve(signal.reason)
              reject(signal.reason)
            })
          })
        }
        const building = buildVariants(stand.ctx, assetId)
        await begun.promise
        // By then the worker has looked again because of its own word that it began.
        await letPass(10)
        if (whose === 'its own') await cancelProcessing(stand.ctx, assetId)
        else await stand.inTheirTransaction('commit', (tx) => cancelProcessing(stand.ctx, assetId, { tx }))
        let isOver = false
        void ended.promise.then(() => (isOver = true))
        await letPass(40, () => isOver)
        assert.ok(isOver, 'it goes on until its lease is renewed')
        await stand.clock.during(building)
        assert.equal(((await ended.promise) as RindleError).code, 'lease_lost')
        const { asset, variants, runs } = await stand.states(assetId)
        assert.deepEqual([asset, variants], ['degraded', ['large cancelled', 'thumb cancelled']])
        assert.equal(runs.at(-1), 'build_variants failed processing_cancelled')
        stand.jail.before = null
        await requeueVariants(stand.ctx, assetId)
        await stand.work()
        assert.equal((await stand.states(assetId)).asset, 'ready')
        for (let day = 0; day < 2; day++) await stand.pass(90_000)
        await stand.assertLedger()
        assert.equal((await stand.keys()).length, 3)
      })

    it('never counts a cancel as a worker that was lost', async () => {
      const assetId = await asked('thumb')
      for (let round = 0; round < 7; round++) {
        stand.jail.before = async () => {
          stand.jail.before = null
          await cancelProcessing(stand.ctx, assetId)
        }
        await buildVariants(stand.ctx, assetId)
        assert.deepEqual((await stand.states(assetId)).variants, ['large ready', 'thumb cancelled'])
        await requeueVariants(stand.ctx, assetId)
      }
      await stand.work()
      assert.equal((await stand.states(assetId)).asset, 'ready')
    })

    it('goes with the transaction of the app', async () => {
      const assetId = await asked('thumb')
      await stand.inTheirTransaction('rollback', (tx) => cancelProcessing(stand.ctx, assetId, { tx }))
      assert.deepEqual((await stand.states(assetId)).variants, ['large ready', 'thumb queued'])
      await stand.inTheirTransaction('commit', (tx) => cancelProcessing(stand.ctx, assetId, { tx }))
      assert.deepEqual((await stand.states(assetId)).variants, ['large ready', 'thumb cancelled'])
      await stand.inTheirTransaction('commit', (tx) => requeueVariants(stand.ctx, assetId, { tx }))
      assert.deepEqual((await stand.states(assetId)).variants, ['large ready', 'thumb queued'])
    })

    it('refuses in words what there is nothing to do about', async () => {
      const assetId = await ready()
      await assert.rejects(cancelProcessing(stand.ctx, assetId), refused('not_processing'))
      await assert.rejects(cancelProcessing(stand.ctx, nobody), refused('asset_not_found'))
      await assert.rejects(requeueVariants(stand.ctx, nobody), refused('asset_not_found'))
      await assert.rejects(requeueVariants(stand.ctx, assetId, { variants: ['thumbs'] }), refused('variant_unknown'))
      const { assetId: early } = await stand.land()
      await assert.rejects(cancelProcessing(stand.ctx, early), refused('not_processing'))
      await assert.rejects(requeueVariants(stand.ctx, early), refused('state_conflict'))
    })

    it('is done by one of several who ask at once', async () => {
      const assetId = await asked('thumb')
      const told = await Promise.allSettled(Array.from({ length: 4 }, () => cancelProcessing(stand.ctx, assetId)))
      assert.equal(told.filter(({ status }) => status === 'fulfilled').length, 1)
      assert.ok(told.every((one) => one.status === 'fulfilled' || refused('not_processing')(one.reason)))
      const again = await Promise.all(Array.from({ length: 4 }, () => requeueVariants(stand.ctx, assetId)))
      assert.deepEqual(again.map((names) => names.length).toSorted(), [0, 0, 0, 1])
    })
  })
}
