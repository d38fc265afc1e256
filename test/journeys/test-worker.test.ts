import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import { isRindleError } from '../../src/core/errors.ts'
import { image } from '../../src/core/image-recipe.ts'
import { defineProfile } from '../../src/core/profile-definition.ts'
import { silentLogger } from '../../src/adapters/telemetry/logger.ts'
import { createTestRindle } from '../../src/rindle.ts'
import { createSettableClock } from '../../src/testing/clock.ts'
import { faultyCarrier, type DatabaseCall, type DatabaseFaultKind } from '../../src/testing/faulty-carrier.ts'
import { faultyJail, type JailCall, type JailFaultKind } from '../../src/testing/faulty-jail.ts'
import { faultyQueue, type QueueCall, type QueueFaultKind } from '../../src/testing/faulty-queue.ts'
import { faultyStorage, type StorageCall, type StorageFaultKind } from '../../src/testing/faulty-storage.ts'
import { createMemoryBucket } from '../../src/testing/memory-bucket.ts'
import { createTestIds } from '../../src/testing/test-ids.ts'
import { createTestWorker } from '../../src/testing/test-worker.ts'
import { type EngineDatabase, engines } from '../services/engines.ts'
import { createPlainJail, plainPicture } from './fixtures/plain-jail.ts'

interface Plans {
  storage: (call: StorageCall) => StorageFaultKind | null
  database: (call: DatabaseCall) => DatabaseFaultKind | null
  queue: (call: QueueCall) => QueueFaultKind | null
  jail: (call: JailCall) => JailFaultKind | null
}

const sound: Plans = { storage: () => null, database: () => null, queue: () => null, jail: () => null }

/** Once, at the first call that is one of these. */
const first = <C extends { readonly operation: string }, K>(kind: K, operation: string) => {
  let left = 1
  return (call: C): K | null => (call.operation === operation && left-- > 0 ? kind : null)
}

const openStand = (database: EngineDatabase, folder: string, seed: number) => {
  const plans = { ...sound }
  const clock = createSettableClock()
  const bucket = createMemoryBucket({ clock })
  const storage = faultyStorage(bucket.adapter, { plan: (call) => plans.storage(call), clock })
  const carrier = faultyCarrier({ plan: (call) => plans.database(call), clock })
  const queue = faultyQueue({ plan: (call) => plans.queue(call), clock })
  const decoders = faultyJail({ plan: (call) => plans.jail(call), clock })
  const rindle = createTestRindle(
    {
      ...{ database: database.given, scratchFolder: folder, logger: silentLogger },
      secrets: ['a secret of the tests that is long enough'],
      profiles: {
        photo: defineProfile({
          ...{ storage: storage.adapter, allowMime: ['image/png'], maxBytes: 10_000, variants: { thumb: image({ width: 8 }) } },
          quarantine: { keepSeconds: 600 },
        }),
      },
      slots: { avatar: { profile: 'photo' } },
    },
    {
      ...{ clock, databaseClock: clock.database, ids: createTestIds(seed) },
      ...{ carrier: carrier.carrier, queue: queue.queue, jail: decoders.jail(createPlainJail()) },
    },
  )
  return { rindle, clock, bucket, plans, worker: createTestWorker(rindle, clock), logs: { storage, carrier, queue, decoders } }
}

for (const engine of engines)
  describe(`a test worker on ${engine.name}`, { skip: engine.skip }, () => {
    const folder = mkdtempSync(join(tmpdir(), 'rindle-test-worker-'))
    let database: EngineDatabase
    let stand: ReturnType<typeof openStand>
    let seed = 0
    before(async () => {
      database = await engine.open()
      stand = openStand(database, folder, (seed += 1))
      await stand.rindle.ready()
    })
    afterEach(async () => {
      Object.assign(stand.plans, sound)
      await database.empty()
    })
    after(async () => {
      await stand.rindle.close()
      await database.close()
      rmSync(folder, { recursive: true })
    })
    const upload = async (bytes = plainPicture()) => stand.rindle.upload('photo', bytes, { filename: 'me.png' })
    const stateOf = async (id: string) => (await stand.rindle.asset(id))?.state ?? null

    it('does what waits, and nothing else', async () => {
      const { id } = await upload()
      const at = stand.clock.monotonicMs()
      assert.deepEqual(await stand.worker.work(), ['promote_asset', 'delete_object'])
      assert.deepEqual([await stateOf(id), stand.clock.monotonicMs() - at], ['ready', 0])
      assert.deepEqual(await stand.worker.work(), [])
    })

    const survived: readonly (readonly [string, () => Partial<Plans>])[] = [
      ['a statement that is lost', () => ({ database: first('fail_before', 'statement') })],
      ['a statement whose answer is lost', () => ({ database: first('fail_after', 'statement') })],
      ['a fetch that fails', () => ({ queue: first('fail_before', 'fetch') })],
      ['jobs that are fetched by nobody', () => ({ queue: first('fail_after', 'fetch') })],
      ['jobs that are lost', () => ({ queue: first('lose', 'fetch') })],
      ['jobs that are doubled', () => ({ queue: first('double', 'fetch') })],
      ['jobs that are not ended', () => ({ queue: first('fail_before', 'complete') })],
      ['a decoder that dies', () => ({ jail: first('killed', 'visit') })],
      ['a variant that is cut', () => ({ jail: first('cut_output', 'visit') })],
      ['a decoder that hangs', () => ({ jail: first('hang', 'visit') })],
      ['a storage that hangs', () => ({ storage: first('hang', 'read') })],
    ]
    for (const [name, plansOf] of survived)
      it(`comes to an end with ${name}`, async () => {
        const { id } = await upload()
        const faults = () => Object.values(stand.logs).reduce((sum, { log }) => sum + log.length, 0)
        const before = faults()
        Object.assign(stand.plans, plansOf())
        await stand.worker.untilQuiet()
        Object.assign(stand.plans, sound)
        assert.deepEqual([await stateOf(id), faults() - before], ['ready', 1])
        assert.deepEqual(await database.query(`select id from rindle.media_objects where state = 'doomed'`), [])
      })

    it('shows an app a lost connection: nothing is kept before the commit, all of it after', async () => {
      const { id } = await upload()
      const ada = { type: 'User', id: 1 }
      for (const [kind, isKept] of [
        ['fail_before', false],
        ['fail_inside', false],
        ['fail_after', true],
      ] as const) {
        stand.plans.database = first(kind, 'transaction')
        await assert.rejects(stand.rindle.attach(id, ada, 'avatar'), (err) => isRindleError(err) && err.code === 'database_unavailable')
        assert.equal((await stand.rindle.attachmentFor(ada, 'avatar')) !== null, isKept, kind)
      }
    })

    it('lets a call that hangs run out of its time, and no longer', async () => {
      const { id } = await upload()
      const at = stand.clock.monotonicMs()
      stand.plans.storage = first('hang', 'read')
      await stand.worker.work()
      const seconds = (stand.clock.monotonicMs() - at) / 1000
      assert.ok(seconds >= 30 && seconds < 60, `${seconds} s`)
      assert.equal(await stateOf(id), 'validating')
      await stand.worker.untilQuiet()
      assert.equal(await stateOf(id), 'ready')
    })

    it('waits for no client, and for nothing that is kept', async () => {
      const session = await stand.rindle.initiateUpload('photo', { filename: 'me.png', byteSize: 64 })
      const held = await upload(new TextEncoder().encode('no picture'))
      const at = stand.clock.monotonicMs()
      await stand.worker.untilQuiet()
      assert.ok(stand.clock.monotonicMs() - at < 120_000)
      assert.deepEqual([(await stand.rindle.uploadSession(session.id))?.state, await stateOf(held.id)], ['initialized', 'quarantined'])
      await stand.worker.pass(700)
      await stand.worker.untilQuiet()
      assert.equal(await stateOf(held.id), null)
    })

    it('says who is never done with', async () => {
      const { id } = await upload()
      stand.plans.storage = ({ operation }) => (operation === 'read' ? 'fail_before' : null)
      await assert.rejects(stand.worker.untilQuiet(), (err) => {
        assert.ok(isRindleError(err) && err.code === 'work_unfinished')
        assert.deepEqual(
          err.details.rows.map((row) => row.slice(0, row.indexOf(' ('))),
          [`asset ${id}`],
        )
        return true
      })
      Object.assign(stand.plans, sound)
      await stand.worker.untilQuiet()
      assert.equal(await stateOf(id), 'ready')
    })

    it('holds storage against the rows when it is told to, whoever else did so today, and not before', async () => {
      const { id } = await upload()
      await stand.worker.untilQuiet()
      const [row] = await database.query(`select key from rindle.media_objects where role = 'original'`)
      const key = String(row?.['key'])
      await stand.rindle.purge(id)
      await stand.worker.pass(7_200)
      assert.deepEqual(await database.query('select id from rindle.media_objects'), [])
      await stand.bucket.adapter.put(key, new Blob(['back']).stream(), { contentType: 'image/png' })
      await stand.worker.pass(86_400 + 60)
      assert.notEqual(await stand.bucket.adapter.head(key), null)
      const other = createTestWorker(stand.rindle, stand.clock, { holder: 'another' })
      assert.deepEqual(
        (await other.reconcile()).map(({ deleted, aborted }) => [deleted, aborted]),
        [[1, 0]],
      )
      assert.equal(await stand.bucket.adapter.head(key), null)
      const at = stand.clock.monotonicMs()
      const [found] = await stand.worker.reconcile()
      assert.deepEqual([found?.deleted, stand.clock.monotonicMs() - at >= 86_400_000], [0, true])
    })

    it('throws what trying again does not help against', async () => {
      await upload()
      stand.plans.queue = () => 'cut' as never
      await assert.rejects(stand.worker.work(), (err) => isRindleError(err) && err.code === 'argument_invalid')
    })

    it('waits out the hour of doubt after a clock has jumped', async () => {
      const { id } = await upload()
      await stand.worker.untilQuiet()
      await stand.rindle.cancelUpload((await stand.rindle.initiateUpload('photo', { filename: 'me.png', byteSize: 64 })).id)
      const at = stand.clock.monotonicMs()
      stand.clock.advanceDatabase(172_800)
      await stand.worker.untilQuiet()
      assert.ok(stand.clock.monotonicMs() - at >= 3_600_000)
      assert.equal(await stateOf(id), 'ready')
    })
  })
