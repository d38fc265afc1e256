import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { sql } from 'kysely'
import { assetMachine } from '../../src/core/asset.ts'
import { RindleError } from '../../src/core/errors.ts'
import { jobNames } from '../../src/core/jobs.ts'
import { objectMachine } from '../../src/core/object.ts'
import type { ClockReading } from '../../src/core/schedule.ts'
import { runMachine } from '../../src/core/run.ts'
import { variantMachine } from '../../src/core/variant.ts'
import { born, moved } from '../../src/database/move.ts'
import { moves } from '../../src/database/statement.ts'
import { forgetHistory } from '../../src/flows/ops/forget-history.ts'
import { leaveLeases } from '../../src/flows/ops/leave-leases.ts'
import { enqueue } from '../../src/database/queries/enqueue.ts'
import { sweep } from '../../src/flows/ops/sweep.ts'
import { detach } from '../../src/flows/assets/detach.ts'
import { attach } from '../../src/flows/assets/attach.ts'
import { engines } from '../services/engines.ts'
import { openStage, type Stage } from './fixtures/attachments.ts'

const anna = { type: 'User', id: 7 }

for (const engine of engines) {
  describe(`the sweep on ${engine.name}`, { skip: engine.skip }, () => {
    let stage: Stage
    const previous = new Map<string, ClockReading>()

    before(async () => {
      stage = await openStage(engine)
    })
    afterEach(() => {
      previous.clear()
      return stage.database.empty()
    })
    after(() => stage.close())

    /** One look of the worker with that name. */
    const look = async (holder = 'one') => {
      const seen = await sweep(stage.ctx, { holder, previous: previous.get(holder) ?? null })
      previous.set(holder, seen.reading)
      return seen
    }
    const passTime = async (seconds: number) => {
      for (let left = seconds; left > 0; left -= 5) {
        stage.clock.advance(Math.min(5, left))
        if (previous.size > 0) previous.set('one', { database: await stage.clock.database.read(), monotonicMs: stage.clock.monotonicMs() })
      }
    }
    const one = async (text: string, ...values: unknown[]) => (await stage.database.query(text, values))[0] ?? {}
    const jobs = async () => {
      const found = []
      for (const name of jobNames) found.push(...(await stage.ctx.queue.fetch(name, 100)))
      await stage.ctx.queue.complete(found)
      return found.map(({ name, id }) => `${name} ${id}`)
    }
    /** What a worker that died at the gate leaves: its lease, its run, an object it may or may not have written. */
    const heldAtTheGate = async () => {
      const id = await stage.make('validating')
      const { ctx } = stage
      const at = ctx.clock.now()
      const [object, run] = [ctx.ids.next(), ctx.ids.next()]
      await moves(ctx.db.pool, ctx, [
        moved('asset', assetMachine, ['analyze'], {
          where: sql`t.id = ${id}::uuid`,
          set: { fence: sql`t.fence + 1`, due_at: new Date(at.getTime() + ctx.leaseSeconds * 1000) },
        }),
        born('object', objectMachine, [], {
          rows: [{ id: object, asset_id: id, role: 'original', store: 'memory:stage', key: `sealed/${id}/${object}.png`, fence: 2 }],
        }),
        born('run', runMachine, [], {
          rows: [{ id: run, asset_id: id, job: 'promote_asset', variant_names: [], attempt: 1, fence: 2, worker: 'dead', figures: {} }],
        }),
      ])
      return { id, object, run }
    }

    it('only takes the time at the first look of a worker', async () => {
      await stage.make('validating')
      stage.clock.advance(100)
      assert.equal((await look()).swept, false)
      stage.clock.advance(5)
      assert.equal((await look()).swept, true)
    })

    it('enqueues the gate again for an asset nobody came for, and looks after it later', async () => {
      const id = await stage.make('validating')
      await look()
      assert.deepEqual(await jobs(), [])
      await passTime(70)
      await look()
      assert.deepEqual(await jobs(), [`promote_asset ${id}`])
      stage.clock.advance(5)
      assert.equal((await look()).due, 0)
      assert.deepEqual(await jobs(), [])
    })

    it('enqueues no second job while one is waiting, however long the queue has become', async () => {
      const [waiting, lost] = [await stage.make('validating'), await stage.make('validating')]
      await look()
      await passTime(70)
      await enqueue(stage.ctx.db.pool, stage.ctx, [{ name: 'promote_asset', id: waiting }])
      await look()
      await passTime(70)
      await look()
      assert.deepEqual((await jobs()).sort(), [`promote_asset ${waiting}`, `promote_asset ${lost}`].sort())
    })

    it('gives back what a dead worker held at the gate, within the lease and one look', async () => {
      const { id, object, run } = await heldAtTheGate()
      await look()
      await passTime(stage.ctx.leaseSeconds - 5)
      await look()
      assert.equal((await one('select state from rindle.media_assets where id = $1', id))['state'], 'analyzing')
      await passTime(5)
      await look()
      assert.equal((await one('select state from rindle.media_assets where id = $1', id))['state'], 'validating')
      assert.deepEqual(await one('select state, error_code from rindle.media_processing_runs where id = $1', run), {
        state: 'failed',
        error_code: 'lease_lost',
      })
      const condemned = await one('select state, watch_until is not null as watched from rindle.media_objects where id = $1', object)
      assert.deepEqual(condemned, { state: 'doomed', watched: true })
      assert.deepEqual(await jobs(), [`promote_asset ${id}`])
      const history = await stage.database.query(
        `select move, reason from rindle.state_moves where asset_id = $1 and reason is not null order by seq`,
        [id],
      )
      assert.deepEqual(
        history.map(({ move, reason }) => `${String(move)} ${String(reason)}`),
        ['give_back lease_lost', 'doom lease_lost', 'fail lease_lost'],
      )
    })

    it('leaves alone what its worker still holds', async () => {
      const { id } = await heldAtTheGate()
      await look()
      await passTime(20)
      await stage.database.query('update rindle.media_assets set due_at = $2 where id = $1', [
        id,
        new Date(stage.ctx.clock.now().getTime() + 30_000),
      ])
      await passTime(20)
      await look()
      assert.equal((await one('select state from rindle.media_assets where id = $1', id))['state'], 'analyzing')
    })

    it('gives variants back by way of their asset, with a new fence, and dooms what the dead worker had reserved', async () => {
      const id = await stage.make('ready')
      const { ctx } = stage
      const [object, run] = [ctx.ids.next(), ctx.ids.next()]
      const { id: variant, fence } = await one('select id, fence from rindle.media_variants where asset_id = $1', id)
      const due = new Date(ctx.clock.now().getTime() + 30_000)
      await moves(ctx.db.pool, ctx, [
        moved('asset', assetMachine, ['process'], { where: sql`t.id = ${id}::uuid` }),
        moved('variant', variantMachine, ['plan_again', 'enqueue', 'start'], {
          where: sql`t.id = ${variant}::uuid`,
          set: { fence: sql`t.fence + 1`, due_at: due },
        }),
        born('object', objectMachine, [], {
          rows: [
            {
              id: object,
              asset_id: id,
              variant_id: variant,
              role: 'variant',
              store: 'memory:stage',
              key: `variants/${id}/thumb/${object}.webp`,
              fence: Number(fence) + 1,
            },
          ],
        }),
        born('run', runMachine, [], {
          rows: [
            { id: run, asset_id: id, job: 'build_variants', variant_names: ['thumb'], attempt: 1, fence: 1, worker: 'dead', figures: {} },
          ],
        }),
      ])
      await look()
      await passTime(35)
      await look()
      assert.deepEqual(
        await one('select state, fence - $2::int as raised from rindle.media_variants where id = $1', variant, Number(fence)),
        { state: 'queued', raised: 2 },
      )
      assert.equal((await one('select state from rindle.media_objects where id = $1', object))['state'], 'doomed')
      assert.equal((await one('select state from rindle.media_processing_runs where id = $1', run))['state'], 'failed')
      assert.deepEqual(await jobs(), [`build_variants ${id}`])
      await passTime(70)
      await look()
      assert.deepEqual(
        (await jobs()).filter((job) => job.startsWith('build')),
        [`build_variants ${id}`],
      )
    })

    it('expires an upload whose time is up, deletes its bytes and forgets its row when nothing names it', async () => {
      const keys = await stage.keys()
      const id = await stage.make('staged')
      await stage.database.query(`update rindle.media_upload_sessions set due_at = $1`, [
        new Date(stage.ctx.clock.now().getTime() + 60_000),
      ])
      await look()
      await passTime(70)
      await look()
      assert.equal((await one('select state from rindle.media_upload_sessions where asset_id = $1', id))['state'], 'expired')
      assert.equal(await stage.stateOf(id), 'deleted')
      for (let hour = 0; hour < 30; hour += 1) {
        await passTime(3600)
        await look()
        await stage.work()
      }
      assert.deepEqual(await stage.keys(), keys)
      assert.deepEqual(
        await one(
          'select (select count(*)::int from rindle.media_upload_sessions) as sessions, (select count(*)::int from rindle.media_assets) as assets, (select count(*)::int from rindle.media_objects) as objects',
        ),
        {
          sessions: 0,
          assets: 0,
          objects: 0,
        },
      )
    })

    it('lets quarantined bytes go when they have been kept for long enough, and not before', async () => {
      const keys = await stage.keys()
      const id = await stage.make('quarantined')
      await look()
      await passTime(604_700)
      await look()
      await stage.work()
      assert.equal(await stage.stateOf(id), 'quarantined')
      assert.notDeepEqual(await stage.keys(), keys)
      await passTime(200)
      await look()
      await stage.work()
      assert.deepEqual(await stage.keys(), keys)
    })

    it('purges an asset that nobody attached when its profile says so', async () => {
      const keys = await stage.keys()
      const id = await stage.make('ready', { profile: 'fleeting' })
      await stage.database.query('update rindle.media_assets set due_at = $2 where id = $1', [
        id,
        new Date(stage.ctx.clock.now().getTime() + 3_600_000),
      ])
      await look()
      await passTime(3_590)
      await look()
      await stage.work()
      assert.equal(await stage.stateOf(id), 'ready')
      await passTime(20)
      await look()
      await stage.work()
      assert.equal(await stage.stateOf(id), 'deleted')
      assert.deepEqual(await stage.keys(), keys)
    })

    it('wakes whoever settles slots and whoever purges for rows that nobody looked at', async () => {
      const [waiting, left] = [await stage.make('validating'), await stage.make('ready')]
      await attach(stage.ctx, waiting, anna, 'avatar')
      await attach(stage.ctx, left, anna, 'cover')
      await detach(stage.ctx, anna, 'cover')
      await jobs()
      await look()
      await passTime(70)
      await look()
      assert.deepEqual((await jobs()).sort(), [`promote_asset ${waiting}`, `purge_asset ${left}`, `settle_slots ${waiting}`])
    })

    it('finds out whether an unmanaged object landed whose writer went silent', async () => {
      const { ctx } = stage
      const store = ctx.stores.at('memory:stage')
      const [landed, lost] = [ctx.ids.next(), ctx.ids.next()]
      const due_at = new Date(ctx.clock.now().getTime() + 10_000)
      await moves(ctx.db.pool, ctx, [
        born('objects', objectMachine, [], {
          rows: [landed, lost].map((id) => ({ id, role: 'unmanaged', store: store.id, key: `unmanaged/${id}`, due_at, fence: 0 })),
        }),
      ])
      await store.put(`unmanaged/${landed}`, new Blob(['abc']).stream(), { contentType: 'text/plain' })
      await look()
      await passTime(15)
      await look()
      assert.deepEqual(await one('select state, byte_size::int as bytes from rindle.media_objects where id = $1', landed), {
        state: 'present',
        bytes: 3,
      })
      assert.equal((await one('select state from rindle.media_objects where id = $1', lost))['state'], 'doomed')
      await store.delete(`unmanaged/${landed}`)
    })

    it('asks a storage that does not answer for one object a look, and still settles those of others', async () => {
      const { ctx } = stage
      const bornAt = ctx.clock.now()
      const due_at = (index: number) => new Date(bornAt.getTime() + 10_000 + index)
      const rows = ['memory:stage', 'memory:stage', 'memory:stage', 'memory:other'].map((store, index) => {
        const id = ctx.ids.next()
        return { id, role: 'unmanaged', store, key: `unmanaged/${id}`, due_at: due_at(index), fence: 0 }
      })
      await moves(ctx.db.pool, ctx, [born('objects', objectMachine, [], { rows })])
      const asked: string[] = []
      const at: typeof ctx.stores.at = (id) => ({
        ...ctx.stores.at('memory:stage'),
        async head(key) {
          asked.push(key)
          if (id === 'memory:other') return null
          stage.clock.advance(30)
          throw new RindleError('storage_failed', { operation: 'head', store: id })
        },
      })
      await look()
      await passTime(15)
      await sweep({ ...ctx, stores: { ...ctx.stores, at } }, { holder: 'one', previous: previous.get('one') ?? null })
      assert.deepEqual(asked.sort(), [rows[0]?.key, rows[3]?.key].sort())
      const states = await stage.database.query('select state from rindle.media_objects order by store desc, due_at')
      assert.deepEqual(
        states.map(({ state }) => state),
        ['reserved', 'reserved', 'reserved', 'doomed'],
      )
    })

    it('is done by one worker at a time, and by another when that one falls silent', async () => {
      await look('one')
      await look('two')
      stage.clock.advance(5)
      assert.equal((await look('one')).swept, true)
      assert.equal((await look('two')).swept, false)
      stage.clock.advance(5)
      assert.equal((await look('two')).swept, false)
      stage.clock.advance(5)
      assert.equal((await look('two')).swept, true)
      assert.equal((await look('one')).swept, false)
    })

    it('goes to another worker at once when the one that did it stops', async () => {
      await look('one')
      await look('two')
      stage.clock.advance(5)
      assert.equal((await look('one')).swept, true)
      await leaveLeases(stage.ctx, 'one')
      assert.equal((await look('two')).swept, true)
    })

    it('acts on no look at which the clocks of database and machine went apart', async () => {
      const id = await stage.make('staged')
      await look('one')
      stage.clock.advanceDatabase(7200)
      stage.clock.advance(5)
      const leap = await look('one')
      assert.deepEqual({ swept: leap.swept, doubted: leap.doubted }, { swept: false, doubted: true })
      assert.equal(await stage.stateOf(id), 'staged')
    })

    it('expires and deletes nothing for an hour after that, whoever sweeps, but still gives back and wakes', async () => {
      const staged = await stage.make('staged')
      await stage.database.query(`update rindle.media_upload_sessions set due_at = $1`, [
        new Date(stage.ctx.clock.now().getTime() + 60_000),
      ])
      const { id } = await heldAtTheGate()
      await look('one')
      stage.clock.advanceDatabase(7200)
      stage.clock.advance(5)
      await look('one')
      await look('two')
      stage.clock.advance(5)
      const sweeping = await look('two')
      assert.deepEqual({ swept: sweeping.swept, doubted: sweeping.doubted }, { swept: true, doubted: true })
      assert.equal(await stage.stateOf(staged), 'staged')
      assert.equal(await stage.stateOf(id), 'validating')
      assert.deepEqual(await jobs(), [`promote_asset ${id}`])
      stage.clock.advance(3600)
      previous.delete('two')
      await look('two')
      stage.clock.advance(5)
      assert.equal((await look('two')).doubted, false)
      assert.equal(await stage.stateOf(staged), 'deleted')
    })

    it('doubts for an hour and no longer when a clock that was years ahead is put right', async () => {
      const tenYears = 10 * 365 * 86_400
      await look()
      for (const seconds of [tenYears, -tenYears]) {
        stage.clock.advanceDatabase(seconds)
        stage.clock.advance(5)
        assert.deepEqual({ doubted: (await look()).doubted }, { doubted: true })
      }
      stage.clock.advance(5)
      assert.equal((await look()).doubted, true)
      stage.clock.advance(3600)
      await look()
      const after = await look()
      assert.deepEqual({ swept: after.swept, doubted: after.doubted }, { swept: true, doubted: false })
    })

    it('brings forward what a clock that was ahead had put off for days, and leaves alone what is put off on purpose', async () => {
      const { id } = await heldAtTheGate()
      const waiting = await stage.make('validating')
      const available = await stage.make('ready')
      const inTwoDays = new Date(stage.ctx.clock.now().getTime() + 172_800_000)
      await stage.database.query('update rindle.media_assets set due_at = $1', [inTwoDays])
      await jobs()
      const dueOf = async (asset: string) => (await one('select due_at from rindle.media_assets where id = $1', asset))['due_at']
      await look('one')
      const afterLease = new Date(stage.ctx.clock.now().getTime() + stage.ctx.leaseSeconds * 1000)
      assert.deepEqual([await dueOf(id), await dueOf(waiting), await dueOf(available)], [afterLease, afterLease, inTwoDays])

      stage.clock.advanceDatabase(-172_800)
      stage.clock.advance(5)
      assert.equal((await look('one')).doubted, true)
      await passTime(stage.ctx.leaseSeconds + 5)
      await look('one')
      assert.deepEqual((await jobs()).sort(), [`promote_asset ${id}`, `promote_asset ${waiting}`].sort())
      assert.equal(await stage.stateOf(id), 'validating')
    })

    it('forgets history after thirty days and not before', async () => {
      await stage.make('validating')
      stage.clock.advance(29 * 86_400)
      await forgetHistory(stage.ctx)
      assert.notEqual((await one('select count(*)::int as n from rindle.state_moves'))['n'], 0)
      stage.clock.advance(2 * 86_400)
      await forgetHistory(stage.ctx)
      assert.equal((await one('select count(*)::int as n from rindle.state_moves'))['n'], 0)
    })
  })
}
