import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import { createWitness, type Witness } from '../../prove/judge.ts'
import { openScenarioApp, type ScenarioRindle } from '../../prove/scenarios/app.ts'
import { createJail } from '../../src/adapters/processing/jail.ts'
import { memory } from '../../src/adapters/storage/memory.ts'
import { silentLogger } from '../../src/adapters/telemetry/logger.ts'
import { sealedKey } from '../../src/core/object-key.ts'
import type { StorageAdapter } from '../../src/core/ports/storage.ts'
import { createSettableClock } from '../../src/testing/clock.ts'
import { createTestWorker, type TestWorker } from '../../src/testing/test-worker.ts'
import { type EngineDatabase, engines } from '../services/engines.ts'
import { createPlainJail, plainPicture } from './fixtures/plain-jail.ts'

const ada = { type: 'user', id: 1 }

for (const engine of engines) {
  describe(`a witness on ${engine.name}`, { skip: engine.skip }, () => {
    const folder = mkdtempSync(join(tmpdir(), 'rindle-witness-'))
    const clock = createSettableClock()
    let database: EngineDatabase
    let breaches: string[] = []
    let witness: Witness
    let storage: StorageAdapter
    let rindle: ScenarioRindle
    let worker: TestWorker

    before(async () => {
      database = await engine.open()
    })
    beforeEach(async () => {
      await rindle?.close()
      await database.empty()
      breaches = []
      witness = createWitness({ query: database.query, breach: (text) => breaches.push(text) })
      storage = witness.storage(memory({ name: 'witness', clock }))
      const overrides = { clock, databaseClock: clock.database, jail: witness.jail(createPlainJail()) }
      rindle = witness.watch(openScenarioApp({ database: database.given, storage, scratchFolder: folder, logger: silentLogger, overrides }))
      worker = createTestWorker(rindle, clock)
    })
    after(async () => {
      await rindle.close()
      await database.close()
      rmSync(folder, { recursive: true, force: true })
    })

    const uploaded = async (fill = 7) => {
      const asset = await rindle.upload('photo', plainPicture(64, fill), { filename: 'me.png' })
      await worker.work()
      return asset
    }
    const keyOf = async (assetId: string) =>
      String(
        (
          await database.query(
            'select o.key from rindle.media_objects o join rindle.media_assets a on a.object_id = o.id where a.id = $1',
            [assetId],
          )
        )[0]?.['key'],
      )
    const stored = async (key: string) => new Uint8Array(await new Response((await storage.read(key))?.body).arrayBuffer())
    const put = (key: string) => storage.put(key, new Blob(['x']).stream(), { contentType: 'image/png' })

    it('has nothing to say of files that come, are shown, replaced and purged', async () => {
      const first = await uploaded()
      await rindle.attach(first, ada, 'avatar')
      const second = await rindle.upload('photo', plainPicture(64, 8), { filename: 'me.png' })
      await rindle.attach(second, ada, 'avatar')
      await worker.work()
      for (const url of [await rindle.url(second), await rindle.variantUrl(second, 'thumb')])
        assert.ok(url.startsWith('http://localhost:1/media'))
      await witness.delivered(await rindle.url(second), await stored(await keyOf(second.id)))
      await rindle.upload('photo', new Uint8Array(64), { filename: 'me.png' })
      await worker.work()
      await worker.pass(3 * 86_400)
      const seen = await witness.check()
      assert.deepEqual(breaches, [])
      assert.ok(seen.calls > 15 && seen.urls === 2 && seen.bodies === 1 && seen.wishes === 2 && seen.slots === 1, JSON.stringify(seen))
    })

    it('sees bytes that come before their row, and a key that is written twice', async () => {
      const { id } = await uploaded()
      const key = sealedKey(id, id, 'png')
      await put(key)
      assert.deepEqual(breaches, [`puts ${key}, which has no row`])
      await storage.copy(await keyOf(id), key).catch(() => undefined)
      assert.equal(breaches[1], `copies to ${key} a second time`)
      await witness.landing(sealedKey(id, rindle ? id : '', null))
      assert.equal(breaches.length, 4)
    })

    it('sees what is deleted while it is needed', async () => {
      const key = await keyOf((await uploaded()).id)
      await storage.delete(key)
      assert.deepEqual(breaches, [`deletes ${key}, which is present`, `deletes ${key}, at which an asset that is ready points`])
    })

    it('sees URLs of what must not be shown', async () => {
      const ready = await uploaded()
      const staged = await rindle.initiateUpload('photo', { filename: 'a.png', byteSize: 64 })
      const careless = witness.watch({ url: async () => 'u', variantUrl: async () => 'v', attach: async () => 0, detach: async () => 0 })
      const ask: (asset: string) => Promise<string> = careless.url
      await ask(staged.assetId)
      await ask(ready.id)
      assert.deepEqual(breaches, [`a URL was given for ${staged.assetId}, which is staged and has not passed the gate`])
      await rindle.purge(ready)
      await ask(ready.id)
      assert.equal(breaches[1], `a URL was given for ${ready.id}, which is deleted`)
    })

    it('sees what is delivered and was not judged, or is of another asset', async () => {
      const [mine, other] = [await uploaded(7), await uploaded(9)]
      const url = await rindle.url(mine)
      await witness.delivered(url, await stored(await keyOf(mine.id)))
      assert.deepEqual(breaches, [])
      await witness.delivered(url, await stored(await keyOf(other.id)))
      assert.deepEqual(breaches, [`a URL of ${mine.id} led to bytes that are none of that asset's`])
      await witness.delivered('https://elsewhere.test/', new Uint8Array(3))
      assert.equal(breaches[1], 'a URL led to bytes that nobody judged')
    })

    it('sees a slot in which another stands than was wished for last', async () => {
      const [first, second] = [await uploaded(7), await uploaded(9)]
      await rindle.attach(first, ada, 'avatar')
      await rindle.attach(second, ada, 'avatar')
      await witness.check()
      assert.deepEqual(breaches, [])
      await database.query(`update rindle.media_attachments set asset_id = $1 where standing = 'current'`, [first.id])
      await witness.check()
      assert.deepEqual(breaches, [`in ["user","1","avatar"] stands ${first.id}, and the last wish was ${second.id}`])
      await rindle.detach(ada, 'avatar')
      await database.query(
        `update rindle.media_attachments set standing = 'current', due_at = null
         where id = (select a.id from rindle.media_attachments a where a.asset_id = $1 limit 1)`,
        [first.id],
      )
      await witness.check()
      assert.equal(breaches[1], `in ["user","1","avatar"] stands ${first.id}, and the last wish was nothing`)
    })

    it('takes the wish before for the last one where the gate refused the last', async () => {
      const first = await uploaded()
      await rindle.attach(first, ada, 'avatar')
      const refused = await rindle.upload('photo', new Uint8Array(64), { filename: 'me.png' })
      await rindle.attach(refused, ada, 'avatar')
      await worker.work()
      await witness.check()
      assert.deepEqual(breaches, [])
    })

    it('knows a file that is only recognised by the first reading of its sealed copy', async () => {
      const jail = createJail({ scratchFolder: folder, logger: silentLogger })
      const bytes = new TextEncoder().encode('minutes of the meeting, in plain text')
      const overrides = { clock, databaseClock: clock.database, jail: witness.jail(jail) }
      const app = openScenarioApp({ database: database.given, storage, scratchFolder: folder, logger: silentLogger, overrides })
      try {
        const paper = await witness.watch(app).upload('paper', bytes, { filename: 'minutes.txt' })
        await createTestWorker(app, clock).work()
        const url = await app.url(paper)
        await witness.delivered(url, bytes)
        assert.deepEqual(breaches, [])
        const other = createWitness({ query: database.query, breach: (text) => breaches.push(text) })
        await other.watch(app).url(paper)
        await other.delivered(url, bytes)
        assert.deepEqual(breaches, [`a URL of ${paper.id} led to bytes that nobody judged`])
      } finally {
        await app.close()
        await jail.close()
      }
    })
  })
}
