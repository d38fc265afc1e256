import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { setTimeout as pause } from 'node:timers/promises'
import { after, afterEach, before, describe, it } from 'node:test'
import { sql } from 'kysely'
import type { RindleEvent } from '../../src/core/events.ts'
import type { Telemetry } from '../../src/core/ports/telemetry.ts'
import { assetMachine } from '../../src/core/asset.ts'
import { move } from '../../src/database/move.ts'
import { runWorker } from '../../src/doors/worker/worker.ts'
import { type EmitterHold, emitEvents } from '../../src/flows/ops/emit-events.ts'
import { createClock } from '../../src/database/clock.ts'
import { engines } from '../services/engines.ts'
import { sharedServerVariable } from '../services/postgres.ts'
import { openStage, type Stage } from './fixtures/attachments.ts'

/** Events wait for every writing transaction of their cluster, those of other test files too: so this file has a server to itself. */
delete process.env[sharedServerVariable]

for (const engine of engines) {
  describe(`events on ${engine.name}`, { skip: engine.skip }, () => {
    let stage: Stage
    const heard: RindleEvent[] = []
    const hear = (event: unknown) => void heard.push(event as RindleEvent)

    before(async () => {
      stage = await openStage(engine)
      subscribe('rindle:event', hear)
    })
    afterEach(() => {
      heard.length = 0
      return stage.database.empty()
    })
    after(async () => {
      unsubscribe('rindle:event', hear)
      await stage.close()
    })

    const emit = async (holder = 'one', hold: EmitterHold | null = null, telemetry: Telemetry = stage.ctx.telemetry) =>
      emitEvents({ ...stage.ctx, telemetry }, hold, { holder })
    const names = () => heard.map(({ name }) => name)

    it('tell of every change after its commit, in order, each with an id', async () => {
      const id = await stage.make('validating')
      await emit()
      assert.deepEqual(names(), [
        'asset.staged',
        'asset.accepted',
        'upload_session.initialized',
        'upload_session.signed',
        'upload_session.verified',
        'upload_session.completed',
        'object.reserved',
        'object.stored',
      ])
      assert.equal(new Set(heard.map((event) => event.id)).size, heard.length)
      const [, accepted] = heard
      assert.deepEqual(
        { ...accepted, id: null, at: null },
        {
          ...{ id: null, at: null, name: 'asset.accepted', entity: 'asset', entityId: id, assetId: id },
          ...{ from: 'staged', to: 'validating', actor: null, reason: null },
        },
      )
      assert.ok(accepted?.at instanceof Date)
    })

    it('are sent once, also when another worker goes on', async () => {
      await stage.make('validating')
      const { hold } = await emit('one')
      const first = heard.length
      await emit('one', hold)
      assert.equal(heard.length, first)
      assert.equal((await emit('two')).hold, null)
      stage.clock.advance(11)
      assert.notEqual((await emit('two')).hold, null)
      assert.equal(heard.length, first)
      await stage.make('ready')
      assert.equal((await emit('one', { ...hold!, renewAtMs: 0 })).hold, null)
      assert.equal(heard.length, first)
    })

    it('are remembered by nobody whose lease was taken while they were sent', async () => {
      await stage.make('validating')
      const { hold } = await emit('one')
      stage.clock.advance(11)
      assert.notEqual((await emit('two')).hold, null)
      const cursor = async () => (await stage.database.query(`select cursor from rindle.leases where name = 'events'`))[0]
      const before = await cursor()
      await stage.make('ready')
      assert.equal((await emit('one', { ...hold!, renewAtMs: Infinity })).hold, null, 'it asks for the lease next time')
      assert.deepEqual(await cursor(), before)
    })

    it('are sent again with the same id when a worker dies before it has remembered them', async () => {
      await stage.make('validating')
      const sent: string[] = []
      const dying: Telemetry = {
        publish(event) {
          sent.push(event.id)
          if (sent.length === 3) throw new TypeError('killed')
        },
      }
      await assert.rejects(emit('dying', null, dying))
      stage.clock.advance(11)
      await emit('next')
      assert.deepEqual(
        heard.slice(0, 3).map(({ id }) => id),
        sent,
      )
    })

    it('go out on a channel of their own name too', async () => {
      const ready: unknown[] = []
      const listener = (event: unknown) => void ready.push(event)
      subscribe('rindle:asset.ready', listener)
      const id = await stage.make('ready')
      await emit()
      unsubscribe('rindle:asset.ready', listener)
      assert.equal(ready.length, 1)
      assert.deepEqual(
        heard.filter(({ name }) => name === 'asset.ready').map(({ entityId }) => entityId),
        [id],
      )
    })

    it('start at the present when the cursor lies ahead of the cluster, as in a restored dump, and say so', async () => {
      await stage.make('ready')
      await emit()
      heard.length = 0
      const old = await stage.make('ready')
      await stage.database.query(`update rindle.state_moves set xid = '4000000000000'::xid8 where asset_id = $1`, [old])
      await stage.database.query(
        `update rindle.leases set holder = null, until = '-infinity', cursor = '{"xid":"4000000000000","seq":"5","floor":"0"}' where name = 'events'`,
      )
      const warned: string[] = []
      const logger = { ...stage.ctx.logger, warn: (_: object, message: string) => void warned.push(message) }
      const { hold } = await emitEvents({ ...stage.ctx, logger }, null, { holder: 'restored' })
      assert.equal(warned.length, 1)
      assert.deepEqual(heard, [])
      const fresh = await stage.make('validating')
      await emitEvents({ ...stage.ctx, logger }, hold, { holder: 'restored' })
      assert.ok(heard.length > 0)
      assert.ok(heard.every(({ assetId }) => assetId === fresh))
      assert.equal(warned.length, 1)
    })

    if (engine.concurrent) {
      it('wait for a writing transaction that is still open, and pass nothing over', async () => {
        const { promise: release, resolve: letGo } = Promise.withResolvers<void>()
        const [slow, quick] = [await stage.make('validating'), await stage.make('validating')]
        const { hold } = await emit()
        heard.length = 0
        let open = false
        const analyze = { set: { fence: sql`t.fence + 1`, due_at: new Date('2026-01-01T13:00:00Z') } }
        const writing = stage.ctx.db.transaction(async (tx) => {
          await move(tx, stage.ctx, assetMachine, slow, 'analyze', analyze)
          open = true
          await release
        })
        while (!open) await pause(5)
        await move(stage.ctx.db.pool, stage.ctx, assetMachine, quick, 'analyze', analyze)
        const waiting = await emit('one', hold)
        assert.deepEqual(heard, [])
        letGo()
        await writing
        await emit('one', waiting.hold)
        assert.deepEqual(
          heard.map(({ entityId }) => entityId),
          [slow, quick],
        )
      })
    }

    it('are sent by a worker within a second of the commit', async () => {
      const worker = runWorker({ ...stage.ctx, clock: createClock() }, [{ name: 'promote_asset', run: async () => undefined }])
      await pause(1_000)
      const began = performance.now()
      const id = await stage.make('validating')
      const committed = performance.now() - began
      while (!heard.some(({ assetId }) => assetId === id) && performance.now() - began < 5_000) await pause(5)
      const took = performance.now() - began - committed
      await worker.stop({ graceMs: 0 })
      assert.ok(took < 1_000, `${took} ms`)
    })
  })
}
