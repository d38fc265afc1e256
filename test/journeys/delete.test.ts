import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { writeWatchSeconds } from '../../src/core/patience.ts'
import type { StorageAdapter } from '../../src/core/ports/storage.ts'
import { lookSeconds } from '../../src/core/schedule.ts'
import { deleteObject } from '../../src/flows/assets/delete-object.ts'
import { purge } from '../../src/flows/assets/purge.ts'
import { engines } from '../services/engines.ts'
import { openStage, type Stage } from './fixtures/attachments.ts'

/** A store whose deletions fail while it is told so, and which remembers what was asked of its multipart uploads. */
const failing = { now: false, deletions: [] as string[], calls: [] as string[] }
/** What happens between the effect of a deletion and its answer. */
let beforeAnswer: (key: string) => Promise<void> = async () => undefined
const unused = async (): Promise<never> => assert.fail('not asked for here')
const wrap = (adapter: StorageAdapter): StorageAdapter => ({
  ...adapter,
  capabilities: new Set([...adapter.capabilities, 'multipart_upload']),
  multipart: {
    limits: { minPartBytes: 1, maxPartBytes: 10, maxParts: 10, maxObjectBytes: 100 },
    ...{ create: unused, signPart: unused, listParts: unused, complete: unused },
    async abort(key, uploadId) {
      failing.calls.push(`abort ${uploadId} of ${key}`)
      if (failing.now) throw new Error('the bucket is on fire')
    },
    async *list() {},
  },
  async delete(key, options) {
    failing.deletions.push(key)
    failing.calls.push(`delete ${key}`)
    if (failing.now) throw new Error('the bucket is on fire')
    await adapter.delete(key, options)
    await beforeAnswer(key)
  },
})

for (const engine of engines.filter(({ name }) => name !== 'postgres-runtime-role')) {
  describe(`deleting objects on ${engine.name}`, { skip: engine.skip }, () => {
    let stage: Stage
    before(async () => {
      stage = await openStage(engine, { wrap })
    })
    afterEach(async () => {
      failing.now = false
      beforeAnswer = async () => undefined
      for (const key of await stage.keys()) await stage.ctx.stores.at('memory:stage').delete(key)
      failing.deletions = []
      failing.calls = []
      await stage.database.empty()
    })
    after(() => stage.close())

    const objects = () => stage.database.query('select id, key, state, due_at, watch_until from rindle.media_objects order by key')
    const delays = async () => {
      const rows = await stage.database.query(
        `select extract(epoch from start_after - created_on)::int as s from rindle_queue.job where state = 'created' order by 1`,
      )
      return rows.map(({ s }) => Number(s))
    }
    /** The queue's own clock does not go with the test's. */
    const letDelayedJobsRun = () => stage.database.query(`update rindle_queue.job set start_after = now() - interval '1 second'`)

    it('asks a storage that fails again, less and less often, and loses nothing', async () => {
      failing.now = true
      const id = await stage.make('validating')
      await purge(stage.ctx, id)
      await stage.work()
      const waits: number[] = []
      for (const passed of [10, 20, 40, 7200]) {
        waits.push(...(await delays()))
        stage.clock.advance(passed)
        await letDelayedJobsRun()
        await stage.work()
      }
      assert.deepEqual([...waits, ...(await delays())], [10, 10, 30, 70, 3600])
      assert.deepEqual(
        (await objects()).map(({ state }) => state),
        ['doomed'],
      )
      assert.equal((await stage.keys()).length, 1)
      failing.now = false
      stage.clock.advance(3600)
      await stage.sweep()
      assert.deepEqual(await stage.keys(), [])
      assert.deepEqual(await objects(), [])
    })

    it('counts what is gone already as deleted', async () => {
      const id = await stage.make('ready')
      for (const key of await stage.keys()) await stage.ctx.stores.at('memory:stage').delete(key)
      await purge(stage.ctx, id)
      await stage.work()
      assert.deepEqual(await objects(), [])
    })

    it('watches what a ticket still reaches, and deletes it once more when nothing can land any more', async () => {
      const id = await stage.make('validating', { ticketEndsIn: 900 + 900 })
      await purge(stage.ctx, id)
      await stage.work()
      const [watched] = await objects()
      assert.equal(watched?.['state'], 'watched')
      assert.deepEqual(watched?.['due_at'], watched?.['watch_until'])
      await deleteObject(stage.ctx, String(watched?.['id']))
      assert.equal(failing.deletions.length, 1, 'not before its time')
      await stage.ctx.stores.at('memory:stage').put(String(watched?.['key']), new Blob(['late']).stream(), { contentType: 'image/png' })
      stage.clock.advance(1801)
      await stage.sweep()
      assert.deepEqual(await stage.keys(), [])
      assert.deepEqual(await objects(), [])
      const history = await stage.database.query(`select move, to_state from rindle.state_moves where entity = 'object' order by xid, seq`)
      assert.deepEqual(
        history.slice(-3).map(({ move, to_state }) => `${String(move)} → ${String(to_state)}`),
        ['doom → doomed', 'delete → watched', 'forget → gone'],
      )
    })

    it('does not count a deletion that was under way when the watch ended: what landed behind it is deleted as well', async () => {
      const id = await stage.make('staged')
      beforeAnswer = async (key) => {
        beforeAnswer = async () => undefined
        await stage.ctx.stores.at('memory:stage').put(key, new Blob(['late']).stream(), { contentType: 'image/png' })
        stage.clock.advance(writeWatchSeconds + 1)
      }
      await purge(stage.ctx, id)
      await stage.work()
      assert.deepEqual(
        (await objects()).map(({ state }) => state),
        ['watched'],
      )
      assert.equal((await stage.keys()).length, 1)
      await stage.sweep()
      assert.deepEqual(await stage.keys(), [])
      assert.deepEqual(await objects(), [])
    })

    it('watches what was only reserved for as long as a write of our own may land', async () => {
      const id = await stage.make('staged')
      await purge(stage.ctx, id)
      await stage.work()
      stage.clock.advance(writeWatchSeconds - 2 * lookSeconds - 1)
      await stage.sweep()
      assert.equal((await objects())[0]?.['state'], 'watched')
      stage.clock.advance(2)
      await stage.sweep()
      assert.deepEqual(await objects(), [])
    })

    it('finds what lands within the hour after the longest lease that had just begun', async () => {
      const id = await stage.make('staged')
      const [{ key } = { key: '' }] = await objects()
      await purge(stage.ctx, id)
      await stage.work()
      stage.clock.advance(3_600 + 3_500)
      await stage.sweep()
      await stage.ctx.stores.at('memory:stage').put(String(key), new Blob(['late']).stream(), { contentType: 'image/png' })
      stage.clock.advance(200)
      await stage.sweep()
      assert.deepEqual(await stage.keys(), [])
      assert.deepEqual(await objects(), [])
    })

    it('throws the parts of a multipart upload away before its object, and both once more when the watch ends', async () => {
      const id = await stage.make('validating')
      await stage.database.query(`update rindle.media_objects set upload_id = 'u1'`)
      const [{ key } = { key: '' }] = await objects()
      const round = [`abort u1 of ${String(key)}`, `delete ${String(key)}`]
      await purge(stage.ctx, id)
      await stage.work()
      assert.deepEqual(failing.calls, round)
      assert.equal((await objects())[0]?.['state'], 'watched', 'although no ticket was out and its bytes had been seen')
      stage.clock.advance(writeWatchSeconds + 1)
      await stage.sweep()
      assert.deepEqual(failing.calls, [...round, ...round])
      assert.deepEqual(await objects(), [])
    })

    it('deletes nothing while the parts cannot be thrown away', async () => {
      failing.now = true
      const id = await stage.make('validating')
      await stage.database.query(`update rindle.media_objects set upload_id = 'u1'`)
      await purge(stage.ctx, id)
      await stage.work()
      assert.deepEqual(failing.deletions, [])
      assert.equal((await objects())[0]?.['state'], 'doomed')
      assert.deepEqual(await delays(), [10])
    })

    it('leaves alone what is still needed', async () => {
      await stage.make('ready')
      for (const { id } of await objects()) await deleteObject(stage.ctx, String(id))
      assert.equal((await stage.keys()).length, 2)
      assert.deepEqual(failing.deletions, [])
    })

    it('keeps the row of an object whose store is not known any more', async () => {
      const id = await stage.make('validating')
      await stage.database.query(`update rindle.media_objects set store = 'memory:elsewhere'`)
      await purge(stage.ctx, id)
      await stage.work()
      const [object] = await objects()
      assert.equal(object?.['state'], 'doomed')
      assert.deepEqual(await delays(), [10])
    })

    it('is recorded once when two workers delete at the same time', async () => {
      const id = await stage.make('validating')
      await purge(stage.ctx, id)
      const [object] = await objects()
      await Promise.all([deleteObject(stage.ctx, String(object?.['id'])), deleteObject(stage.ctx, String(object?.['id']))])
      assert.deepEqual(await objects(), [])
      const history = await stage.database.query(`select 1 from rindle.state_moves where entity = 'object' and move = 'delete'`)
      assert.equal(history.length, 1)
    })
  })
}
