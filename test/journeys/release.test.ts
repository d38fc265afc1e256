import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, afterEach, before, describe, it } from 'node:test'
import { sql } from 'kysely'
import { assetMachine } from '../../src/core/asset.ts'
import { RindleError } from '../../src/core/errors.ts'
import { secondsAfter } from '../../src/core/patience.ts'
import type { Scanner, ScanResult } from '../../src/core/ports/scanner.ts'
import { defineProfile } from '../../src/core/profile-definition.ts'
import { moved } from '../../src/database/move.ts'
import { moves } from '../../src/database/statement.ts'
import { asset as readAsset } from '../../src/flows/assets/asset.ts'
import { attach } from '../../src/flows/assets/attach.ts'
import { attachmentFor } from '../../src/flows/assets/attachment-for.ts'
import { detach } from '../../src/flows/assets/detach.ts'
import { purge } from '../../src/flows/assets/purge.ts'
import { releaseQuarantine, type ReleaseQuarantineOptions } from '../../src/flows/assets/release-quarantine.ts'
import { settleSlots } from '../../src/flows/assets/settle-slots.ts'
import { settled } from '../../src/flows/assets/settled.ts'
import { url } from '../../src/flows/delivery/url.ts'
import { promoteAsset } from '../../src/flows/variants/promote-asset.ts'
import { engines } from '../services/engines.ts'
import { plainPicture } from './fixtures/plain-jail.ts'
import { openStand, type Stand, withCode } from './fixtures/uploads.ts'

const anna = { type: 'User', id: 7 }
const said = { reason: 'a false alarm', actor: 'olga' }
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

for (const engine of engines) {
  describe(`releasing what is held back on ${engine.name}`, { skip: engine.skip }, () => {
    let stand: Stand
    const found: Record<string, ScanResult> = {}
    const scanner = (name: string): Scanner => ({ name, scan: async () => found[name] ?? { clean: true } })
    before(async () => {
      stand = await openStand(engine, {
        profiles: (media) => ({ scanned: defineProfile({ ...media, scanners: [scanner('first'), scanner('second')] }) }),
      })
    })
    afterEach(async () => {
      delete found['first']
      delete found['second']
      await stand.empty()
    })
    after(() => stand.close())

    const threat = (name: string): ScanResult => ({ clean: false, threat: name })
    const release = (assetId: string, options: Partial<ReleaseQuarantineOptions> = {}) =>
      releaseQuarantine(stand.ctx, assetId, { ...said, ...options })
    const codeOf = async (assetId: string) => (await readAsset(stand.ctx, assetId))?.error?.code ?? null
    const stateOf = async (assetId: string) => (await stand.states(assetId)).asset
    const pardonOf = async (assetId: string) => (await stand.one('select pardon from rindle.media_assets where id = $1', assetId))['pardon']
    const landScanned = async () => {
      const { assetId } = await stand.land(plainPicture(), {}, 'scanned')
      await stand.work()
      assert.equal(await stateOf(assetId), 'quarantined')
      return assetId
    }
    /** As a decoder of the profile's would say. */
    const landRefused = async (code: 'mime_not_allowed' | 'decode_failed', profile = 'avatar') => {
      const { visit } = stand.jail
      stand.jail.visit = async () => ({ verdict: 'refuse', code, message: 'No.', details: {} })
      const { assetId } = await stand.land(plainPicture(), {}, profile)
      await promoteAsset(stand.ctx, assetId)
      stand.jail.visit = visit
      assert.equal(await codeOf(assetId), code)
      return assetId
    }
    const refuseByHand = (assetId: string) =>
      moves(stand.ctx.db.pool, stand.ctx, [
        moved('asset', assetMachine, ['refuse'], {
          set: { due_at: secondsAfter(stand.clock.now(), 3600), error_code: 'malware_found', error_detail: 'By hand.' },
          where: sql`t.id = ${assetId}::uuid`,
        }),
      ])

    it('lets what a scanner found through, with who, why and when on the row and in the history', async () => {
      found['first'] = threat('Eicar')
      const assetId = await landScanned()
      stand.clock.advance(60)
      const at = stand.clock.now().toISOString()
      await release(assetId, { reason: '  a false alarm ' })
      const waiting = await readAsset(stand.ctx, assetId)
      assert.deepEqual([waiting?.state, waiting?.error, waiting?.metadata['refused']], ['validating', null, undefined])
      const pardon = { code: 'malware_found', scanner: 'first', threat: 'Eicar', ...said, at }
      assert.deepEqual(await pardonOf(assetId), pardon)
      await stand.work()
      assert.equal((await settled(stand.ctx, assetId)).state, 'available')
      assert.deepEqual(await pardonOf(assetId), pardon)
      const row = await stand.one(`select actor, reason from rindle.state_moves where entity_id = $1 and move = 'release'`, assetId)
      assert.deepEqual(row, said)
      await stand.pass(9_000)
      await stand.assertLedger()
      assert.equal((await stand.keys()).length, 1)
    })

    it('judges anything else anew, and keeps the pardons that were given', async () => {
      found['first'] = threat('Eicar')
      const assetId = await landScanned()
      found['second'] = threat('Worm')
      await release(assetId)
      await stand.work()
      assert.deepEqual((await readAsset(stand.ctx, assetId))?.metadata['refused'], { scanner: 'second', threat: 'Worm' })
      await release(assetId, { reason: 'another' })
      await stand.work()
      assert.equal(await stateOf(assetId), 'available')
      const pardon = (await pardonOf(assetId)) as { threat: string; earlier: { threat: string }[] }
      assert.deepEqual([pardon.threat, pardon.earlier.map((one) => one.threat)], ['Worm', ['Eicar']])
    })

    it('holds back another threat that the same scanner finds', async () => {
      found['first'] = threat('Eicar')
      const assetId = await landScanned()
      found['first'] = threat('Worm')
      await release(assetId)
      await stand.work()
      assert.deepEqual([await stateOf(assetId), await codeOf(assetId)], ['quarantined', 'malware_found'])
      await stand.pass(9_000)
      await stand.assertLedger()
      assert.equal((await stand.keys()).length, 1)
    })

    for (const days of [0, 3])
      it(`serves bytes of another checksum than was announced, ${days} days after`, async () => {
        const { assetId } = await stand.land(plainPicture(), { sha256: sha256(plainPicture()) })
        // Only the row can say so here: the ticket would not have taken other bytes.
        await stand.database.query(`update rindle.media_upload_sessions set declared_sha256 = '\\x${'00'.repeat(32)}'`)
        await stand.work()
        assert.equal(await codeOf(assetId), 'upload_checksum_mismatch')
        if (days > 0) await stand.pass(days * 86_400)
        assert.equal((await stand.database.query('select id from rindle.media_upload_sessions')).length, days > 0 ? 0 : 1)
        await release(assetId)
        await stand.work()
        const asset = await readAsset(stand.ctx, assetId)
        assert.deepEqual([asset?.state, asset?.receivedSha256], ['ready', sha256(plainPicture())])
      })

    it('goes by what the profile says today', async () => {
      const assetId = await landRefused('mime_not_allowed')
      await release(assetId)
      await stand.work()
      assert.equal(await stateOf(assetId), 'ready')
    })

    it('does not hold what was served rewritten against the checksum of what came', async () => {
      stand.jail.rewrite = (bytes) => ({ bytes: bytes.subarray(0, 40), changed: null })
      const { assetId } = await stand.land(plainPicture(), { sha256: sha256(plainPicture()) })
      await stand.work()
      stand.jail.rewrite = null
      await refuseByHand(assetId)
      await release(assetId)
      await stand.work()
      const asset = await readAsset(stand.ctx, assetId)
      assert.deepEqual([asset?.state, asset?.byteSize, asset?.receivedSha256], ['ready', 40, sha256(plainPicture())])
    })

    it('is refused for files that are broken, and for those that end decoders', async () => {
      const broken = await landRefused('decode_failed')
      await assert.rejects(release(broken), withCode('quarantine_not_releasable'))
      const { assetId } = await stand.land()
      stand.jail.before = () => {
        throw new RindleError('decoder_killed', { reason: 'test' })
      }
      await promoteAsset(stand.ctx, assetId)
      await promoteAsset(stand.ctx, assetId)
      await assert.rejects(release(assetId), withCode('quarantine_not_releasable'))
      assert.deepEqual([await stateOf(assetId), await pardonOf(assetId)], ['quarantined', null])
    })

    it('is refused once the bytes are gone, and for what is not held back', async () => {
      found['first'] = threat('Eicar')
      const kept = await landScanned()
      await attachAnyway(kept)
      await stand.pass(8 * 86_400)
      assert.equal(await stateOf(kept), 'quarantined')
      await assert.rejects(release(kept), withCode('quarantine_expired'))

      delete found['first']
      const { assetId } = await stand.land()
      await assert.rejects(release(assetId), withCode('state_conflict'))
      await stand.work()
      await assert.rejects(release(assetId), withCode('state_conflict'))
      await purge(stand.ctx, assetId)
      await assert.rejects(release(assetId), withCode('asset_not_found'))
      await assert.rejects(release('0199aaaa-0000-7000-8000-000000000000'), withCode('asset_not_found'))
      await assert.rejects(release('nonsense'), withCode('asset_not_found'))
    })
    /** A slot that shows it: its row outlives the keeping of its bytes. */
    const attachAnyway = (assetId: string) =>
      stand.database.query(
        `insert into rindle.media_attachments (id, owner_type, owner_id, slot, many, asset_id, standing, inserted_at)
         values (gen_random_uuid(), 'User', '9', 'avatar', false, $1, 'current', now())`,
        [assetId],
      )

    it('wants to know who and why', async () => {
      found['first'] = threat('Eicar')
      const assetId = await landScanned()
      for (const options of [
        { reason: ' ' },
        { reason: 'x'.repeat(501) },
        { reason: 'a\u0000b' },
        { actor: '' },
        { actor: 'x'.repeat(201) },
      ])
        await assert.rejects(release(assetId, options), withCode('argument_invalid'))
      await assert.rejects(releaseQuarantine(stand.ctx, assetId, JSON.parse('{}')), withCode('argument_invalid'))
      await release(assetId, { reason: 'x'.repeat(500), actor: 'ä'.repeat(200) })
      assert.equal(await stateOf(assetId), 'validating')
    })

    it('is done by one of several who do it at once', async () => {
      for (let round = 0; round < 5; round++) {
        found['first'] = threat('Eicar')
        const assetId = await landScanned()
        const done = await Promise.allSettled(['a', 'b', 'c'].map((actor) => release(assetId, { actor })))
        assert.equal(done.filter(({ status }) => status === 'fulfilled').length, 1)
        for (const one of done) if (one.status === 'rejected') withCode('state_conflict')(one.reason)
        assert.equal((await stand.history(assetId)).filter((move) => move === 'release').length, 1)
        await stand.work()
        assert.equal(await stateOf(assetId), 'available')
      }
    })

    it("stands or falls with the app's own transaction", async () => {
      found['first'] = threat('Eicar')
      const assetId = await landScanned()
      await stand.inTheirTransaction('rollback', (tx) => release(assetId, { tx }))
      assert.equal(await stateOf(assetId), 'quarantined')
      assert.deepEqual(await stand.work(), [])
      await stand.inTheirTransaction('commit', (tx) => release(assetId, { tx }))
      assert.equal(await stateOf(assetId), 'validating')
      await stand.work()
      assert.equal(await stateOf(assetId), 'available')
    })

    describe('and slots', () => {
      const landed = async () => (await stand.land()).assetId
      const shown = async () => {
        const attachment = await attachmentFor(stand.ctx, anna, 'avatar')
        return attachment && `${attachment.asset.id} ${attachment.standing}`
      }

      it('that had lost a file before it passed take it when it is attached anew', async () => {
        const assetId = await landRefusedAttached()
        await settleSlots(stand.ctx, assetId)
        assert.equal(await shown(), null)
        await assert.rejects(attach(stand.ctx, assetId, anna, 'avatar'), withCode('asset_not_attachable'))
        await release(assetId)
        await attach(stand.ctx, assetId, anna, 'avatar')
        await stand.work()
        await stand.pass(120)
        assert.deepEqual([await stateOf(assetId), await shown()], ['ready', `${assetId} current`])
      })

      it('that were not told of the refusal hear of the pass', async () => {
        const before = await landed()
        await stand.work()
        await attach(stand.ctx, before, anna, 'avatar')
        const assetId = await landRefusedAttached()
        assert.equal(await shown(), `${assetId} pending`)
        await release(assetId)
        await settleSlots(stand.ctx, assetId)
        assert.equal(await shown(), `${assetId} pending`)
        await stand.work()
        await stand.pass(120)
        assert.deepEqual([await stateOf(assetId), await shown(), await stateOf(before)], ['ready', `${assetId} current`, 'deleted'])
        await stand.assertLedger()
      })

      it('that showed a file keep it while it is held back, and show it again', async () => {
        const assetId = await landed()
        await stand.work()
        await attach(stand.ctx, assetId, anna, 'avatar')
        await refuseByHand(assetId)
        await settleSlots(stand.ctx, assetId)
        assert.equal(await shown(), `${assetId} current`)
        await assert.rejects(url(stand.ctx, assetId), withCode('asset_not_available'))
        await release(assetId)
        await assert.rejects(url(stand.ctx, assetId), withCode('asset_not_available'))
        await stand.work()
        await stand.pass(120)
        assert.deepEqual([await stateOf(assetId), await shown()], ['ready', `${assetId} current`])
        assert.match(await url(stand.ctx, assetId), /^http/)
      })

      it('that let go of it meanwhile let it be purged: nothing keeps it any more', async () => {
        const assetId = await landed()
        await stand.work()
        await attach(stand.ctx, assetId, anna, 'avatar')
        await refuseByHand(assetId)
        await detach(stand.ctx, anna, 'avatar')
        await stand.pass(120)
        assert.equal(await stateOf(assetId), 'quarantined')
        await release(assetId)
        await stand.work()
        await stand.pass(90_000)
        assert.equal(await stateOf(assetId), null)
        assert.deepEqual(await stand.keys(), [])
      })

      const landRefusedAttached = async () => {
        const { visit } = stand.jail
        const assetId = await landed()
        await attach(stand.ctx, assetId, anna, 'avatar')
        stand.jail.visit = async () => ({ verdict: 'refuse', code: 'mime_not_allowed', message: 'No.', details: {} })
        await promoteAsset(stand.ctx, assetId)
        stand.jail.visit = visit
        assert.equal(await stateOf(assetId), 'quarantined')
        return assetId
      }
    })
  })
}
