import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { RindleError } from '../../src/core/errors.ts'
import { promoteAsset } from '../../src/flows/variants/promote-asset.ts'
import { engines } from '../services/engines.ts'
import { type GateStand, openGateStand } from './fixtures/gate-stand.ts'
import { killedDecoder } from './fixtures/plain-jail.ts'
import type { Stand } from './fixtures/uploads.ts'

for (const engine of engines) {
  describe(`the gate amid faults on ${engine.name}`, { skip: engine.skip }, () => {
    let gate: GateStand
    let stand: Stand
    before(async () => {
      gate = await openGateStand(engine)
      stand = gate.stand
    })
    afterEach(() => gate.empty())
    after(() => gate.close())

    it('never calls a fault a verdict: the asset waits, later each time, and is ready in the end', async () => {
      const { assetId } = await stand.land()
      let faults = 0
      gate.trouble.before = (call) => {
        if (call !== 'copy') return
        faults += 1
        throw new Error('503 slow down')
      }
      await stand.work()
      assert.deepEqual((await stand.states(assetId)).asset, 'validating')
      const waits: number[] = []
      for (let round = 0; round < 4; round++) {
        const due = (await stand.one('select due_at from rindle.media_assets'))['due_at']
        waits.push(Math.round(((due instanceof Date ? due.getTime() : 0) - stand.clock.now().getTime()) / 1000))
        await promoteAsset(stand.ctx, assetId)
      }
      assert.deepEqual(waits, [65, 70, 80, 100])
      assert.equal(faults, 5)
      delete gate.trouble.before
      assert.equal(await promoteAsset(stand.ctx, assetId), 'admitted')
      const { asset, runs } = await stand.states(assetId)
      assert.equal(asset, 'ready')
      assert.deepEqual(runs, [...Array.from({ length: 5 }, () => 'promote_asset failed storage_failed'), 'promote_asset succeeded'])
    })

    it('never blames a file for a folder that jobs cannot write to', async () => {
      const { assetId } = await stand.land()
      const nowhere = { ...stand.ctx, host: { ...stand.ctx.host, scratchFolder: '/proc/nowhere' } }
      for (let round = 0; round < 7; round++) assert.equal(await promoteAsset(nowhere, assetId), 'later')
      assert.equal(await promoteAsset(stand.ctx, assetId), 'admitted')
      assert.equal((await stand.states(assetId)).asset, 'ready')
    })

    it('waits for room on the disk, never blames the file, and fetches nothing before', async () => {
      const { assetId } = await stand.land()
      const full = { ...stand.ctx, host: { ...stand.ctx.host, freeBytes: () => 64 * 1024 * 1024 } }
      const touched: string[] = []
      gate.trouble.before = (call) => void touched.push(call)
      for (let round = 0; round < 7; round++) assert.equal(await promoteAsset(full, assetId), 'later')
      delete gate.trouble.before
      assert.deepEqual(touched, [], 'nothing was copied or read')
      const { asset, runs } = await stand.states(assetId)
      assert.equal(asset, 'validating')
      assert.deepEqual(new Set(runs), new Set(['promote_asset failed insufficient_disk_headroom']))
      assert.equal(stand.jail.visits.length, 0)
      assert.equal(await promoteAsset(stand.ctx, assetId), 'admitted')
    })

    it('waits at most an hour between attempts', async () => {
      const { assetId } = await stand.land()
      stand.jail.before = () => {
        throw new RindleError('decoder_unavailable', { problem: 'test' })
      }
      for (let round = 0; round < 16; round++) await promoteAsset(stand.ctx, assetId)
      const due = (await stand.one('select due_at from rindle.media_assets'))['due_at']
      assert.deepEqual(due, new Date(stand.clock.now().getTime() + 3_660_000))
      assert.equal((await stand.states(assetId)).asset, 'validating')
    })

    it('holds a file back over which the decoder died twice, and not one over which it died once', async () => {
      const { assetId } = await stand.land()
      stand.jail.before = () => {
        throw killedDecoder()
      }
      assert.equal(await promoteAsset(stand.ctx, assetId), 'later')
      assert.equal((await stand.states(assetId)).asset, 'validating')
      assert.equal(await promoteAsset(stand.ctx, assetId), 'refused')
      assert.equal((await gate.errorOf(assetId))?.code, 'decoder_killed')
      assert.equal(gate.heldBack(assetId), 'decoder_killed')
      assert.ok((await stand.states(assetId)).objects.includes('original present'))

      const other = await stand.land()
      assert.equal(await promoteAsset(stand.ctx, other.assetId), 'later')
      stand.jail.before = null
      assert.equal(await promoteAsset(stand.ctx, other.assetId), 'admitted')
    })

    it('counts every attempt, however many there were', async () => {
      const { assetId } = await stand.land()
      await stand.one(
        `insert into rindle.media_processing_runs (id, asset_id, job, attempt, fence, worker, state, error_code, started_at, finished_at, state_changed_at)
         select gen_random_uuid(), $1::uuid, 'promote_asset', n, n - 31, 'another', 'failed', 'worker_stopped', t, t, t
           from generate_series(1, 30) n, (select $2::timestamptz as t) moment`,
        assetId,
        stand.clock.now(),
      )
      assert.equal(await promoteAsset(stand.ctx, assetId), 'admitted')
      const { attempt } = await stand.one('select max(attempt) as attempt from rindle.media_processing_runs where asset_id = $1', assetId)
      assert.equal(attempt, 31)
    })

    it('makes again, later, a variant that storage would not take', async () => {
      const { assetId } = await stand.land()
      let refusals = 1
      gate.trouble.before = (call, key) => {
        if (call === 'put' && key.includes('/large/') && refusals-- > 0) throw new Error('503')
      }
      await promoteAsset(stand.ctx, assetId)
      const { asset, variants } = await stand.states(assetId)
      assert.deepEqual([asset, variants], ['processing', ['large queued', 'thumb ready']])
      const after = await gate.settledDown(assetId)
      assert.deepEqual([after.asset, after.variants], ['ready', ['large ready', 'thumb ready']])
      assert.deepEqual(after.runs, ['promote_asset succeeded storage_failed', 'build_variants succeeded'])
      await stand.assertLedger()
    })

    it('ends ready, with nothing lost and nothing left, wherever a call to storage breaks', async () => {
      for (const when of ['before', 'after'] as const) {
        for (let point = 1; point <= 5; point++) {
          const { assetId } = await stand.land()
          let calls = 0
          gate.trouble[when] = (call) => {
            if (call !== 'head' && ++calls === point) throw new Error('broken')
          }
          await promoteAsset(stand.ctx, assetId)
          await stand.work()
          delete gate.trouble[when]
          const after = await gate.settledDown(assetId)
          assert.equal(after.asset, 'ready', `${when} ${point}: ${JSON.stringify(after)}`)
          await stand.assertLedger()
        }
      }
      await stand.pass(90_000)
      await stand.pass(90_000)
      await stand.assertLedger()
      const left = await stand.one(`select count(*)::int as n from rindle.media_objects where state <> 'present'`)
      assert.equal(left['n'], 0)
      assert.equal((await stand.keys()).length, 30)
    })

    it('is passed in the end by the work of a process that vanished at any moment', async () => {
      for (let point = 1; point <= 4; point++) {
        const { assetId } = await stand.land()
        const gone = Promise.withResolvers<void>()
        let calls = 0
        let isGone = false
        gate.trouble.before = () => {
          if (isGone || ++calls < point) return undefined
          isGone = true
          gone.resolve()
          delete gate.trouble.before
          return gate.forEver()
        }
        gate.vanished.push(promoteAsset(gate.elsewhere(), assetId))
        await gone.promise
        const after = await gate.settledDown(assetId)
        assert.equal(after.asset, 'ready', `${point}: ${JSON.stringify(after)}`)
        await stand.assertLedger()
      }
    })
  })
}
