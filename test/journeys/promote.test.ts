import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, afterEach, before, describe, it } from 'node:test'
import { sql } from 'kysely'
import { assetMachine } from '../../src/core/asset.ts'
import { secondsAfter } from '../../src/core/patience.ts'
import { moved } from '../../src/database/move.ts'
import { moves } from '../../src/database/statement.ts'
import { attach } from '../../src/flows/assets/attach.ts'
import { asset as readAsset } from '../../src/flows/assets/asset.ts'
import { promoteAsset } from '../../src/flows/variants/promote-asset.ts'
import { engines } from '../services/engines.ts'
import { type GateStand, openGateStand } from './fixtures/gate-stand.ts'
import { killedDecoder, plainPicture } from './fixtures/plain-jail.ts'
import type { Stand } from './fixtures/uploads.ts'

const anna = { type: 'User', id: 7 }

for (const engine of engines) {
  describe(`the gate on ${engine.name}`, { skip: engine.skip }, () => {
    let gate: GateStand
    let stand: Stand
    before(async () => {
      gate = await openGateStand(engine)
      stand = gate.stand
    })
    afterEach(() => gate.empty())
    after(() => gate.close())
    const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

    it('says no in words, and keeps the bytes for as long as the profile says', async () => {
      const { assetId } = await stand.land(new Uint8Array(64).fill(1), {}, 'plain')
      await stand.work()
      const { asset, objects, runs } = await stand.states(assetId)
      assert.deepEqual(
        [asset, objects, runs],
        ['quarantined', ['original present', 'staging watched'], ['promote_asset succeeded type_unknown']],
      )
      assert.deepEqual(await gate.errorOf(assetId), { code: 'type_unknown', message: 'The file is of no type that can be recognised.' })
      await stand.assertLedger()
      await stand.pass(700)
      await stand.pass(4_000)
      assert.deepEqual((await stand.keys()).length, 0)
    })

    it('judges length and checksum before anything looks into the file', async () => {
      const declared = await stand.initiate({ sha256: sha256(plainPicture(64, 9)) })
      await stand.sign(declared.id)
      await gate.put(await gate.stagingKey(), plainPicture())
      await stand.verify(declared.id)
      const empty = await stand.land(new Uint8Array(0))
      await stand.work()
      assert.equal((await gate.errorOf(declared.assetId))?.code, 'upload_checksum_mismatch')
      assert.equal((await gate.errorOf(empty.assetId))?.code, 'file_empty')
      assert.equal(stand.jail.visits.length, 0)
    })

    it('refuses what was swapped between verification and the copy', async () => {
      const { assetId } = await stand.land()
      const key = await gate.stagingKey()
      await gate.bare.delete(key)
      await gate.put(key, plainPicture(64, 8))
      await stand.work()
      assert.equal((await gate.errorOf(assetId))?.code, 'upload_object_changed')
      const { asset, objects } = await stand.states(assetId)
      assert.equal(asset, 'quarantined')
      assert.ok(!objects.includes('original present'))
    })

    it('refuses what is gone by the time of the copy', async () => {
      const { assetId } = await stand.land()
      await gate.bare.delete(await gate.stagingKey())
      await stand.work()
      assert.equal((await gate.errorOf(assetId))?.code, 'upload_object_changed')
    })

    it('serves what it judged, whatever happens to the staging object after the copy', async () => {
      const { assetId } = await stand.land()
      const key = await gate.stagingKey()
      gate.trouble.after = async (call, to) => {
        if (call !== 'copy' || !to.startsWith('sealed/')) return
        await gate.bare.delete(key)
        await gate.put(key, plainPicture(64, 8))
      }
      await stand.work()
      assert.equal((await stand.states(assetId)).asset, 'ready')
      const row = await stand.one(`select key, encode(sha256, 'hex') as sha256 from rindle.media_objects where role = 'original'`)
      const served = await gate.bare.read(String(row['key']))
      assert.ok(served)
      assert.equal(sha256(new Uint8Array(await new Response(served.body).arrayBuffer())), sha256(plainPicture()))
      assert.equal(row['sha256'], sha256(plainPicture()))
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
        await gate.loseFiveWorkers(assetId)
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
