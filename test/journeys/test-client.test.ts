import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import { memory } from '../../src/adapters/storage/memory.ts'
import { silentLogger } from '../../src/adapters/telemetry/logger.ts'
import { isRindleError } from '../../src/core/errors.ts'
import { image } from '../../src/core/image-recipe.ts'
import type { StorageAdapter } from '../../src/core/ports/storage.ts'
import { defineProfile } from '../../src/core/profile-definition.ts'
import { createHandler } from '../../src/doors/http/index.ts'
import { createTestRindle } from '../../src/rindle.ts'
import { createSettableClock } from '../../src/testing/clock.ts'
import { createMemoryBucket, type Landing } from '../../src/testing/memory-bucket.ts'
import { createTestClient } from '../../src/testing/test-client.ts'
import { createTestWorker } from '../../src/testing/test-worker.ts'
import { type EngineDatabase, engines } from '../services/engines.ts'
import { createPlainJail, plainPicture } from './fixtures/plain-jail.ts'

const folder = mkdtempSync(join(tmpdir(), 'rindle-test-client-'))
const baseUrl = 'http://localhost/media'
const clock = createSettableClock()
let landing: () => Landing = () => 'now'
const bucket = createMemoryBucket({
  ...{ clock, limits: { minPartBytes: 16 } },
  landing: ({ operation }) => (operation === 'send' ? landing() : 'now'),
})

const open = (database: EngineDatabase) => {
  const profileIn = (storage: StorageAdapter) =>
    defineProfile({ storage, allowMime: ['image/png'], maxBytes: 10_000, variants: { thumb: image({ width: 8 }) } })
  const rindle = createTestRindle(
    {
      ...{ database: database.given, scratchFolder: folder, logger: silentLogger, baseUrl },
      secrets: ['a secret of the tests that is long enough'],
      profiles: { hosted: profileIn(memory({ clock })), signed: profileIn(bucket.adapter) },
    },
    { clock, databaseClock: clock.database, jail: createPlainJail() },
  )
  const handler = createHandler(rindle, {
    identify: (request) => (request.headers.get('x-user') === 'ada' ? { type: 'User', id: 1 } : null),
    authorize: ({ actor }) => actor !== null,
  })
  const worker = createTestWorker(rindle, clock)
  const common = { handler, baseUrl, send: bucket.send, meanwhile: worker.work }
  return { rindle, ada: createTestClient({ ...common, headers: { 'x-user': 'ada' } }), nobody: createTestClient(common) }
}

const [engine] = engines
describe('a client for tests', () => {
  let database: EngineDatabase
  let app: ReturnType<typeof open>
  before(async () => {
    assert.ok(engine)
    database = await engine.open()
    app = open(database)
    await app.rindle.ready()
  })
  afterEach(() => void (landing = () => 'now'))
  after(async () => {
    await app.rindle.close()
    await database.close()
    rmSync(folder, { recursive: true })
  })
  const hasCode = (code: string) => (err: unknown) => isRindleError(err) && err.code === code
  const file = { bytes: plainPicture(), filename: 'me.png' }

  for (const profile of ['hosted', 'signed'])
    it(`takes a file from its declaration to what is served, where storage is ${profile}`, async () => {
      const { id, state, url } = await app.ada.upload(profile, file)
      assert.deepEqual([state, url], ['validating', null])
      const settled = await app.ada.settled(id)
      assert.deepEqual([settled.state, settled.variants['thumb']?.state], ['ready', 'ready'])
      const served = await app.ada.fetch(settled.url ?? '')
      assert.deepEqual([served.status, served.body], [200, file.bytes])
      const made = await app.ada.fetch(settled.variants['thumb']?.url ?? '', { range: 'bytes=0-5' })
      assert.deepEqual([made.status, new TextDecoder().decode(made.body)], [206, 'thumb:'])
    })

  it('sends what comes in parts by a ticket each', async () => {
    const { id } = await app.ada.upload('signed', { ...file, multipart: true, partBytes: 40 })
    const settled = await app.ada.settled(id)
    assert.deepEqual((await app.ada.fetch(settled.url ?? '')).body, file.bytes)
  })

  it('sends again where the connection was lost, and is content with what is there', async () => {
    for (const first of ['never', 'unseen'] as const) {
      const landings: Landing[] = [first]
      landing = () => landings.shift() ?? 'now'
      const { id } = await app.ada.upload('signed', file)
      assert.equal((await app.ada.settled(id)).state, 'ready')
      assert.equal(landings.length, 0)
    }
  })

  it('throws what the door refuses, and shows what the gate refused', async () => {
    await assert.rejects(app.nobody.upload('signed', file), hasCode('not_authorized'))
    await assert.rejects(app.ada.upload('signed', { ...file, bytes: new Uint8Array(20_000) }), hasCode('upload_too_large'))
    const created = await app.ada.open('signed', file)
    await assert.rejects(app.ada.complete(created), hasCode('upload_object_missing'))
    await assert.rejects(app.ada.send(created, new Uint8Array(3)), hasCode('storage_failed'))
    await app.ada.cancel(created)
    await assert.rejects(app.ada.complete(created), (err) => isRindleError(err) && !err.retryable)
    const text = new TextEncoder().encode('no picture')
    const { id } = await app.ada.upload('signed', { bytes: text, filename: 'me.png' })
    const held = await app.ada.settled(id)
    assert.deepEqual([held.state, held.error?.code, held.url], ['quarantined', 'type_unknown', null])
  })
})
