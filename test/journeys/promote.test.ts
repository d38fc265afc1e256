import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, afterEach, before, describe, it } from 'node:test'
import { sql } from 'kysely'
import { assetMachine } from '../../src/core/asset.ts'
import { RindleError } from '../../src/core/errors.ts'
import { secondsAfter } from '../../src/core/patience.ts'
import type { StorageAdapter } from '../../src/core/ports/storage.ts'
import { moved } from '../../src/database/move.ts'
import { moves } from '../../src/database/statement.ts'
import { attach } from '../../src/flows/assets/attach.ts'
import { asset as readAsset } from '../../src/flows/assets/asset.ts'
import { promoteAsset } from '../../src/flows/variants/promote-asset.ts'
import { createSettableClock } from '../../src/testing/clock.ts'
import { engines } from '../services/engines.ts'
import { killedDecoder, plainPicture } from './fixtures/plain-jail.ts'
import { openStand, type Stand } from './fixtures/uploads.ts'

const anna = { type: 'User', id: 7 }
type Call = 'put' | 'head' | 'read' | 'copy' | 'delete'

/** Storage that does what it is told before or after a call: throw, or change something behind the library's back. */
const troubled =
  (trouble: { before?: (call: Call, key: string) => Promise<void> | void; after?: (call: Call, key: string) => Promise<void> | void }) =>
  (adapter: StorageAdapter): StorageAdapter => {
    const around = async <T>(call: Call, key: string, run: () => Promise<T>): Promise<T> => {
      await trouble.before?.(call, key)
      const result = await run()
      await trouble.after?.(call, key)
      return result
    }
    return {
      ...adapter,
      put: (key, ...rest) => around('put', key, () => adapter.put(key, ...rest)),
      head: (key, ...rest) => around('head', key, () => adapter.head(key, ...rest)),
      read: (key, ...rest) => around('read', key, () => adapter.read(key, ...rest)),
      copy: (from, to, ...rest) => around('copy', to, () => adapter.copy(from, to, ...rest)),
      delete: (key, ...rest) => around('delete', key, () => adapter.delete(key, ...rest)),
    }
  }

for (const engine of engines) {
  describe(`the gate on ${engine.name}`, { skip: engine.skip }, () => {
    const trouble: Parameters<typeof troubled>[0] = {}
    let bare: StorageAdapter
    let stand: Stand
    before(async () => {
      stand = await openStand(engine, {
        wrap: (adapter) => {
          bare = adapter
          return troubled(trouble)(adapter)
        },
      })
    })
    afterEach(async () => {
      delete trouble.before
      delete trouble.after
      await stand.empty()
    })
    after(async () => {
      for (const end of ends) end(new Error('gone'))
      await Promise.allSettled(vanished)
      await stand.close()
    })

    /** Processes that vanished, as far as the rows can tell. They end with the test. */
    const vanished: Promise<unknown>[] = []
    const ends: ((reason: Error) => void)[] = []
    const forEver = () => new Promise<never>((_, reject) => ends.push(reject))
    const put = (key: string, bytes: Uint8Array<ArrayBuffer>) => bare.put(key, new Blob([bytes]).stream(), { contentType: 'image/png' })
    const stagingKey = async () =>
      String(
        (await stand.one(`select key from rindle.media_objects where role = 'staging' order by inserted_at desc, id desc limit 1`))['key'],
      )
    const heldBack = (assetId: string): unknown =>
      stand.logged
        .filter(({ level }) => level === 'warn')
        .map(({ fields }) => fields as Record<string, unknown>)
        .find(({ asset, problem, faults }) => asset === assetId && typeof problem === 'string' && faults === undefined)?.['code']
    const errorOf = async (assetId: string) => (await readAsset(stand.ctx, assetId))?.error
    const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
    /** A worker whose time stands still: it renews nothing, as if its process were gone. */
    const elsewhere = () => ({ ...stand.ctx, clock: createSettableClock(stand.clock.now()) })
    const loseFiveWorkers = async (assetId: string) => {
      for (let lost = 0; lost < 5; lost++) {
        const gone = Promise.withResolvers<void>()
        stand.jail.before = () => {
          gone.resolve()
          return forEver()
        }
        vanished.push(promoteAsset(elsewhere(), assetId))
        await gone.promise
        stand.clock.advance(31)
      }
      stand.jail.before = null
    }
    const settledDown = async (assetId: string) => {
      await stand.pass(120)
      return stand.states(assetId)
    }

    it('says no in words, and keeps the bytes for as long as the profile says', async () => {
      const { assetId } = await stand.land(new Uint8Array(64).fill(1), {}, 'plain')
      await stand.work()
      const { asset, objects, runs } = await stand.states(assetId)
      assert.deepEqual(
        [asset, objects, runs],
        ['quarantined', ['original present', 'staging watched'], ['promote_asset succeeded type_unknown']],
      )
      assert.deepEqual(await errorOf(assetId), { code: 'type_unknown', message: 'The file is of no type that can be recognised.' })
      await stand.assertLedger()
      await stand.pass(700)
      await stand.pass(4_000)
      assert.deepEqual((await stand.keys()).length, 0)
    })

    it('judges length and checksum before anything looks into the file', async () => {
      const declared = await stand.initiate({ sha256: sha256(plainPicture(64, 9)) })
      await stand.sign(declared.id)
      await put(await stagingKey(), plainPicture())
      await stand.verify(declared.id)
      const empty = await stand.land(new Uint8Array(0))
      await stand.work()
      assert.equal((await errorOf(declared.assetId))?.code, 'upload_checksum_mismatch')
      assert.equal((await errorOf(empty.assetId))?.code, 'file_empty')
      assert.equal(stand.jail.visits.length, 0)
    })

    it('refuses what was swapped between verification and the copy', async () => {
      const { assetId } = await stand.land()
      const key = await stagingKey()
      await bare.delete(key)
      await put(key, plainPicture(64, 8))
      await stand.work()
      assert.equal((await errorOf(assetId))?.code, 'upload_object_changed')
      const { asset, objects } = await stand.states(assetId)
      assert.equal(asset, 'quarantined')
      assert.ok(!objects.includes('original present'))
    })

    it('refuses what is gone by the time of the copy', async () => {
      const { assetId } = await stand.land()
      await bare.delete(await stagingKey())
      await stand.work()
      assert.equal((await errorOf(assetId))?.code, 'upload_object_changed')
    })

    it('serves what it judged, whatever happens to the staging object after the copy', async () => {
      const { assetId } = await stand.land()
      const key = await stagingKey()
      trouble.after = async (call, to) => {
        if (call !== 'copy' || !to.startsWith('sealed/')) return
        await bare.delete(key)
        await put(key, plainPicture(64, 8))
      }
      await stand.work()
      assert.equal((await stand.states(assetId)).asset, 'ready')
      const row = await stand.one(`select key, encode(sha256, 'hex') as sha256 from rindle.media_objects where role = 'original'`)
      const served = await bare.read(String(row['key']))
      assert.ok(served)
      assert.equal(sha256(new Uint8Array(await new Response(served.body).arrayBuffer())), sha256(plainPicture()))
      assert.equal(row['sha256'], sha256(plainPicture()))
    })

    it('never calls a fault a verdict: the asset waits, later each time, and is ready in the end', async () => {
      const { assetId } = await stand.land()
      let faults = 0
      trouble.before = (call) => {
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
      delete trouble.before
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
      trouble.before = (call) => void touched.push(call)
      for (let round = 0; round < 7; round++) assert.equal(await promoteAsset(full, assetId), 'later')
      delete trouble.before
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
      assert.equal((await errorOf(assetId))?.code, 'decoder_killed')
      assert.equal(heldBack(assetId), 'decoder_killed')
      assert.ok((await stand.states(assetId)).objects.includes('original present'))

      const other = await stand.land()
      assert.equal(await promoteAsset(stand.ctx, other.assetId), 'later')
      stand.jail.before = null
      assert.equal(await promoteAsset(stand.ctx, other.assetId), 'admitted')
    })

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
      await loseFiveWorkers(assetId)
      assert.equal(await promoteAsset(stand.ctx, assetId), 'refused')
      assert.equal((await errorOf(assetId))?.code, 'worker_lost')
      assert.equal(heldBack(assetId), 'worker_lost')
      const { objects } = await stand.states(assetId)
      assert.deepEqual(
        objects.filter((one) => one.endsWith('present')),
        ['staging present'],
      )
    })

    it('takes a file of a profile that is not decoded', async () => {
      const text = new TextEncoder().encode('hello')
      stand.jail.before = null
      const { assetId } = await stand.land(text, { filename: 'note.txt' }, 'paper')
      await stand.work()
      assert.equal(stand.jail.visits[0]?.profileKind, 'file')
      assert.ok(['available', 'quarantined'].includes(String((await stand.states(assetId)).asset)))
    })

    it('lets a variant that could not be made degrade the asset, in words', async () => {
      const { assetId } = await stand.land()
      const visit = stand.jail.visit
      stand.jail.visit = async (given) => {
        const verdict = await visit(given)
        if (verdict.verdict === 'refuse') return verdict
        const variants = verdict.variants.map((made) =>
          made.name === 'large'
            ? ({
                name: 'large',
                ok: false,
                code: 'variant_failed',
                message: 'The variant large could not be made from this file.',
              } as const)
            : made,
        )
        return { ...verdict, variants }
      }
      await stand.work()
      stand.jail.visit = visit
      const { asset, variants, runs } = await stand.states(assetId)
      assert.deepEqual([asset, variants, runs], ['degraded', ['large failed', 'thumb ready'], ['promote_asset succeeded']])
      await stand.assertLedger()
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
      trouble.before = (call, key) => {
        if (call === 'put' && key.includes('/large/') && refusals-- > 0) throw new Error('503')
      }
      await promoteAsset(stand.ctx, assetId)
      const { asset, variants } = await stand.states(assetId)
      assert.deepEqual([asset, variants], ['processing', ['large queued', 'thumb ready']])
      const after = await settledDown(assetId)
      assert.deepEqual([after.asset, after.variants], ['ready', ['large ready', 'thumb ready']])
      assert.deepEqual(after.runs, ['promote_asset succeeded storage_failed', 'build_variants succeeded'])
      await stand.assertLedger()
    })

    it('tells the slots that wait for its verdict', async () => {
      const first = await stand.land()
      await stand.work()
      await attach(stand.ctx, first.assetId, anna, 'avatar')
      const second = await stand.land()
      await attach(stand.ctx, second.assetId, anna, 'avatar')
      await stand.work()
      const standing = async (id: string) =>
        (await stand.one('select standing from rindle.media_attachments where asset_id = $1', id))['standing']
      assert.equal(await standing(second.assetId), 'current')
      assert.equal(await readAsset(stand.ctx, first.assetId), null)

      const third = await stand.land(new Uint8Array(64))
      await attach(stand.ctx, third.assetId, anna, 'avatar')
      await stand.work()
      assert.equal(await standing(second.assetId), 'current')
      assert.equal(await standing(third.assetId), undefined)
    })

    it('sets a date for what nobody attaches, when its profile says so', async () => {
      const { assetId } = await stand.land(plainPicture(), {}, 'small')
      await stand.work()
      assert.equal((await stand.states(assetId)).asset, 'available')
      await stand.pass(3_700)
      assert.equal(await readAsset(stand.ctx, assetId), null)
    })

    it('ends ready, with nothing lost and nothing left, wherever a call to storage breaks', async () => {
      for (const when of ['before', 'after'] as const) {
        for (let point = 1; point <= 5; point++) {
          const { assetId } = await stand.land()
          let calls = 0
          trouble[when] = (call) => {
            if (call !== 'head' && ++calls === point) throw new Error('broken')
          }
          await promoteAsset(stand.ctx, assetId)
          await stand.work()
          delete trouble[when]
          const after = await settledDown(assetId)
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
        trouble.before = () => {
          if (isGone || ++calls < point) return undefined
          isGone = true
          gone.resolve()
          delete trouble.before
          return forEver()
        }
        vanished.push(promoteAsset(elsewhere(), assetId))
        await gone.promise
        const after = await settledDown(assetId)
        assert.equal(after.asset, 'ready', `${point}: ${JSON.stringify(after)}`)
        await stand.assertLedger()
      }
    })

    describe('a pardon', () => {
      const refuseByHand = (assetId: string) =>
        moves(stand.ctx.db.pool, stand.ctx, [
          moved('asset', assetMachine, ['refuse'], {
            set: { due_at: secondsAfter(stand.clock.now(), 600) },
            where: sql`t.id = ${assetId}::uuid`,
          }),
        ])
      const release = (assetId: string) =>
        moves(stand.ctx.db.pool, stand.ctx, [
          moved('asset', assetMachine, ['release'], {
            set: { due_at: secondsAfter(stand.clock.now(), 60) },
            where: sql`t.id = ${assetId}::uuid`,
          }),
        ])
      const originals = async () =>
        (await stand.database.query(`select key from rindle.media_objects where role = 'original' and state = 'present'`)).map(
          ({ key }) => key,
        )

      it('takes what was refused through the gate again, from the bytes that were kept', async () => {
        const { assetId } = await stand.land()
        stand.jail.before = () => {
          throw killedDecoder()
        }
        await promoteAsset(stand.ctx, assetId)
        await promoteAsset(stand.ctx, assetId)
        stand.jail.before = null
        const [kept] = await originals()
        await stand.work()
        await release(assetId)
        assert.equal(await promoteAsset(stand.ctx, assetId), 'admitted')
        assert.equal((await stand.states(assetId)).asset, 'ready')
        assert.equal((await readAsset(stand.ctx, assetId))?.error, null)
        const [served] = await originals()
        assert.notEqual(served, kept)
        await stand.pass(9_000)
        await stand.assertLedger()
        assert.equal((await stand.keys()).length, 3)
      })

      it('takes a file through the gate again for which workers were lost', async () => {
        const { assetId } = await stand.land()
        await loseFiveWorkers(assetId)
        assert.equal(await promoteAsset(stand.ctx, assetId), 'refused')
        await release(assetId)
        assert.equal(await promoteAsset(stand.ctx, assetId), 'admitted')
        assert.equal((await stand.states(assetId)).asset, 'ready')
      })

      it('makes the variants anew that an earlier admission had made, and throws the old ones away', async () => {
        const { assetId } = await stand.land()
        await stand.work()
        await stand.database
          .query(`insert into rindle.media_variants (id, asset_id, name, output_kind, state, recipe_digest, inserted_at, state_changed_at)
          values (gen_random_uuid(), '${assetId}', 'gone', 'image', 'failed', '\\x00', now(), now())`)
        await refuseByHand(assetId)
        await release(assetId)
        const before = await stand.keys()
        assert.equal(await promoteAsset(stand.ctx, assetId), 'admitted')
        const { asset, variants, objects } = await stand.states(assetId)
        assert.deepEqual([asset, variants], ['ready', ['gone purged', 'large ready', 'thumb ready']])
        assert.deepEqual(
          objects.filter((one) => one.endsWith('present')),
          ['original present', 'variant present', 'variant present'],
        )
        await stand.work()
        await stand.pass(9_000)
        await stand.assertLedger()
        const after = await stand.keys()
        assert.equal(after.length, 3)
        assert.deepEqual(
          after.filter((key) => before.includes(key)),
          [],
        )
      })

      it('is refused again when the file is no better, and cancels what was owed', async () => {
        const { assetId } = await stand.land()
        await stand.work()
        await stand.database.query(`update rindle.media_variants set state = 'queued', due_at = now() where name = 'thumb'`)
        await refuseByHand(assetId)
        await release(assetId)
        const visit = stand.jail.visit
        stand.jail.visit = async () => ({ verdict: 'refuse', code: 'type_unknown', message: 'No.', details: {} })
        assert.equal(await promoteAsset(stand.ctx, assetId), 'refused')
        stand.jail.visit = visit
        const { asset, variants } = await stand.states(assetId)
        assert.deepEqual([asset, variants], ['quarantined', ['large ready', 'thumb cancelled']])
        await stand.assertLedger()
      })
    })
  })
}
