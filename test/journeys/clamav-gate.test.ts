import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { clamav } from '../../src/adapters/scanners/clamav.ts'
import { memory } from '../../src/adapters/storage/memory.ts'
import { image } from '../../src/core/image-recipe.ts'
import { defineProfile } from '../../src/core/profile-definition.ts'
import { createRindle, type Rindle } from '../../src/rindle.ts'
import type { Worker } from '../../src/doors/worker/worker.ts'
import { type Clamd, markedThreat, marker, skipWithoutClamd, startClamd } from '../services/clamd.ts'
import { type EngineDatabase, engines } from '../services/engines.ts'
import { quarters } from './fixtures/visits.ts'
import { silentLogger } from '../../src/adapters/telemetry/logger.ts'

const text = (words: string): Uint8Array => new TextEncoder().encode(words)

for (const engine of engines.slice(0, 1)) {
  describe(`files that ClamAV looks at on ${engine.name}`, { skip: skipWithoutClamd || engine.skip, timeout: 180_000 }, () => {
    let database: EngineDatabase
    let clamd: Clamd
    let rindle: Rindle
    let worker: Worker
    const closing: (() => unknown)[] = []

    before(async () => {
      database = await engine.open()
      clamd = await startClamd()
      const mute = createServer().listen(0, '127.0.0.1')
      await once(mute, 'listening')
      closing.push(() => mute.close())
      const address = mute.address()
      assert.ok(address !== null && typeof address === 'object')
      const storage = memory({ name: 'scanned' })
      const file = { kind: 'file', storage, allowMime: ['text/plain'], maxBytes: 10_000_000 } as const
      rindle = createRindle({
        profiles: {
          note: defineProfile({ ...file, scanners: [clamav({ port: clamd.port })] }),
          unheard: defineProfile({ ...file, scanners: [clamav({ port: address.port, timeoutSeconds: 1 })] }),
          photo: defineProfile({
            storage,
            allowMime: ['image/png'],
            maxBytes: 1_000_000,
            variants: { thumb: image({ width: 64 }) },
            scanners: [clamav({ socketPath: clamd.socketPath })],
          }),
        },
        database: database.given,
        secrets: ['a secret of the tests that is long enough'],
        baseUrl: 'https://cohort.example/media',
        logger: silentLogger,
      })
      await rindle.ready()
      worker = rindle.work()
    })
    afterEach(() => database.empty())
    after(async () => {
      await worker.stop()
      await rindle.close()
      await clamd.stop()
      for (const close of closing) await close()
      await database.close()
    })

    const upload = async (profile: string, bytes: Uint8Array, filename = 'a.txt'): Promise<string> =>
      (await rindle.upload(profile, bytes, { filename })).id
    const settle = async (id: string): Promise<string> => (await rindle.settled(id, { timeoutMs: 90_000 })).state
    const runs = async (id: string) =>
      (
        await database.query('select state, error_code from rindle.media_processing_runs where asset_id = $1 order by started_at', [id])
      ).map(({ state, error_code }) => [state, error_code])

    it('are admitted when it finds nothing', async () => {
      assert.equal(await settle(await upload('note', text('as harmless as can be'))), 'available')
      const photo = await upload('photo', await quarters(120, 80), 'a.png')
      assert.equal(await settle(photo), 'ready')
      assert.equal((await rindle.readyVariantsFor({ id: photo })).length, 1)
    })

    it('are held back with the name of what it found and have no address, until somebody answers for them', async () => {
      const id = await upload('note', text(`before ${marker} behind`))
      await assert.rejects(rindle.settled(id, { timeoutMs: 30_000 }), {
        code: 'malware_found',
        details: { scanner: 'clamav', threat: markedThreat },
      })
      const asset = await rindle.asset(id)
      assert.deepEqual([asset?.state, asset?.error?.code], ['quarantined', 'malware_found'])
      assert.match(asset?.error?.message ?? '', /clamav found Rindle\.Test\.Marker/)
      await assert.rejects(rindle.url({ id }), { code: 'asset_not_available' })
      await rindle.releaseQuarantine(id, { reason: 'a test of the scanner itself', actor: 'ada@cohort.example' })
      assert.equal(await settle(id), 'available')
      assert.match(await rindle.url({ id }), /^https:/)
    })

    it('are held back when they are larger than it can look through, without another try', async () => {
      for (const bytes of [2_200_000, 5_000_000]) {
        const id = await upload('note', Buffer.alloc(bytes, 'noise '))
        await assert.rejects(rindle.settled(id, { timeoutMs: 30_000 }), { code: 'scan_limit_exceeded' })
        assert.equal((await runs(id)).length, 1)
      }
    })

    it('wait while it says nothing, and are tried again', async () => {
      const id = await upload('unheard', text('as harmless as can be'))
      while ((await runs(id)).filter(([state]) => state === 'failed').length < 2) await sleep(100)
      assert.deepEqual((await runs(id))[0], ['failed', 'scanner_unavailable'])
      assert.match((await rindle.asset(id))?.state ?? '', /^(validating|analyzing)$/)
      await assert.rejects(rindle.url({ id }), { code: 'asset_not_available' })
    })

    it('wait while it is gone, and are judged when it is back', async () => {
      await clamd.kill()
      const [good, bad] = [await upload('note', text('as harmless as can be')), await upload('note', text(marker))]
      for (const id of [good, bad]) {
        while ((await runs(id)).length === 0 || (await runs(id))[0]?.[0] === 'processing') await sleep(50)
        assert.deepEqual((await runs(id))[0], ['failed', 'scanner_unavailable'])
        assert.equal((await rindle.asset(id))?.state, 'validating')
        await assert.rejects(rindle.url({ id }), { code: 'asset_not_available' })
      }
      clamd = await startClamd({ port: clamd.port })
      assert.equal(await settle(good), 'available')
      await assert.rejects(rindle.settled(bad, { timeoutMs: 90_000 }), { code: 'malware_found' })
    })
  })
}
