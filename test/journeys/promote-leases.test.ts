import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { promoteAsset } from '../../src/flows/variants/promote-asset.ts'
import { engines } from '../services/engines.ts'
import { type GateStand, openGateStand } from './fixtures/gate-stand.ts'
import type { Stand } from './fixtures/uploads.ts'

for (const engine of engines) {
  describe(`the lease of a file at the gate on ${engine.name}`, { skip: engine.skip }, () => {
    let gate: GateStand
    let stand: Stand
    before(async () => {
      gate = await openGateStand(engine)
      stand = gate.stand
    })
    afterEach(() => gate.empty())
    after(() => gate.close())

    it('lets a worker that is told to stop give its asset back at once, uncounted', async () => {
      const { assetId } = await stand.land()
      const stop = new AbortController()
      stand.jail.before = () => stop.abort()
      assert.equal(await promoteAsset(stand.ctx, assetId, { signal: stop.signal }), 'later')
      assert.deepEqual((await stand.states(assetId)).runs, ['promote_asset failed worker_stopped'])
      stand.jail.before = null
      assert.equal((await stand.work()).includes('promote_asset'), true)
      assert.equal((await stand.states(assetId)).asset, 'ready')
    })

    it('is taken to by one worker at a time', async () => {
      const { assetId } = await stand.land()
      const outcomes = await Promise.all(Array.from({ length: 4 }, () => promoteAsset(stand.ctx, assetId)))
      assert.deepEqual(outcomes.toSorted(), ['admitted', 'lost', 'lost', 'lost'])
      assert.equal(await promoteAsset(stand.ctx, assetId), 'lost')
      assert.equal(await promoteAsset(stand.ctx, '00000000-0000-7000-8000-000000000000'), 'lost')
    })

    it('lets nothing of a worker count that slept through its lease', async () => {
      const { assetId } = await stand.land()
      const asleep = Promise.withResolvers<void>()
      const awake = Promise.withResolvers<void>()
      stand.jail.before = async () => {
        stand.jail.before = null
        asleep.resolve()
        await awake.promise
      }
      const zombie = promoteAsset(stand.ctx, assetId)
      await asleep.promise
      await stand.database.query(`update rindle.media_assets set due_at = '2026-01-01'`)
      assert.equal(await promoteAsset(stand.ctx, assetId), 'admitted')
      const before = await stand.states(assetId)
      assert.equal(before.asset, 'ready')
      awake.resolve()
      assert.equal(await zombie, 'lost')
      assert.deepEqual(await stand.states(assetId), before)
      assert.deepEqual(before.runs, ['promote_asset failed lease_lost', 'promote_asset succeeded'])
      await stand.work()
      await stand.pass(9_000)
      await stand.assertLedger()
      assert.equal((await stand.keys()).filter((key) => key.startsWith('sealed/')).length, 1)
    })

    for (const [how, end] of [
      ['ends with a fault', () => Promise.reject(new Error('the disk is on fire'))],
      ['passes the file', () => Promise.resolve()],
    ] as const) {
      it(`lets a worker that slept through its lease take nothing away from the one that has the file now, when it ${how}`, async () => {
        const { assetId } = await stand.land()
        const [asleep, awake, held, goOn] = [1, 2, 3, 4].map(() => Promise.withResolvers<void>())
        const visits = [
          async () => {
            asleep?.resolve()
            await awake?.promise
            await end()
          },
          async () => {
            held?.resolve()
            await goOn?.promise
          },
        ]
        stand.jail.before = () => visits.shift()?.()
        const zombie = promoteAsset(stand.ctx, assetId)
        await asleep?.promise
        await stand.database.query(`update rindle.media_assets set due_at = '2026-01-01'`)
        const other = promoteAsset(stand.ctx, assetId)
        await held?.promise
        awake?.resolve()
        assert.equal(await zombie, 'lost')
        assert.equal((await stand.states(assetId)).asset, 'analyzing')
        goOn?.resolve()
        assert.equal(await other, 'admitted')
        assert.deepEqual((await stand.states(assetId)).runs, ['promote_asset failed lease_lost', 'promote_asset succeeded'])
      })
    }

    it('ends its own work when the lease cannot be renewed', async () => {
      const { assetId } = await stand.land()
      const begun = Promise.withResolvers<void>()
      stand.jail.before = ({ signal }) => {
        begun.resolve()
        return new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason), { once: true }))
      }
      const running = promoteAsset(stand.ctx, assetId)
      await begun.promise
      await stand.database.query(`update rindle.media_assets set fence = fence + 1`)
      stand.clock.advance(11)
      assert.equal(await running, 'lost')
    })

    it('ends its own work within moments of a word that it was taken away, and goes on after one that means nothing', async () => {
      const { assetId } = await stand.land()
      const begun = Promise.withResolvers<void>()
      stand.jail.before = ({ signal }) => {
        begun.resolve()
        return new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason), { once: true }))
      }
      let outcome: string | null = null
      const running = promoteAsset(stand.ctx, assetId).then((it) => (outcome = it))
      await begun.promise
      stand.ctx.changes.announce(assetId)
      stand.clock.advance(0.5)
      await new Promise((resolve) => setTimeout(resolve, 100))
      assert.equal(outcome, null)
      await stand.database.query(`update rindle.media_assets set fence = fence + 1`)
      stand.ctx.changes.announce(assetId)
      stand.clock.advance(0.5)
      assert.equal(await running, 'lost')
    })

    it('leaves a file to a worker that knows its profile, and says so once', async () => {
      const { assetId } = await stand.land()
      const other = await stand.land()
      const ignorant = { ...stand.ctx, profiles: {} }
      for (const id of [assetId, other.assetId, assetId]) assert.equal(await promoteAsset(ignorant, id), 'lost')
      assert.deepEqual(
        stand.logged.map(({ level, fields }) => ({ level, ...fields })),
        [{ level: 'warn', event: 'profile_unknown', profile: 'avatar', asset: assetId }],
      )
      assert.equal(await promoteAsset(stand.ctx, assetId), 'admitted')
    })

    it('keeps its lease for as long as it works', async () => {
      const { assetId } = await stand.land()
      stand.jail.before = async () => {
        for (let third = 0; third < 12; third++) {
          stand.clock.advance(10)
          await new Promise((resolve) => setTimeout(resolve, 60))
        }
      }
      assert.equal(await promoteAsset(stand.ctx, assetId), 'admitted')
      assert.equal((await stand.states(assetId)).asset, 'ready')
    })

    it('holds a file back over which five workers in a row were lost, keeping what was verified', async () => {
      const { assetId } = await stand.land()
      await gate.loseFiveWorkers(assetId)
      assert.equal(await promoteAsset(stand.ctx, assetId), 'refused')
      assert.equal((await gate.errorOf(assetId))?.code, 'worker_lost')
      assert.equal(gate.heldBack(assetId), 'worker_lost')
      const { objects } = await stand.states(assetId)
      assert.deepEqual(
        objects.filter((one) => one.endsWith('present')),
        ['staging present'],
      )
    })
  })
}
