import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { attach } from '../../src/flows/assets/attach.ts'
import { cancelProcessing } from '../../src/flows/variants/cancel-processing.ts'
import { promoteAsset } from '../../src/flows/variants/promote-asset.ts'
import { engines } from '../services/engines.ts'
import { openStand, type Stand } from './fixtures/uploads.ts'

const owner = { type: 'User', id: 1 }

for (const engine of engines) {
  describe(`cancelling what the gate makes on ${engine.name}`, { skip: engine.skip }, () => {
    let stand: Stand
    let beforeVariant: (() => Promise<unknown>) | null = null
    before(async () => {
      stand = await openStand(engine, {
        wrap: (storage) => ({
          ...storage,
          async put(key, body, options) {
            const run = key.startsWith('variants/') ? beforeVariant : null
            if (run) beforeVariant = null
            await run?.()
            return storage.put(key, body, options)
          },
        }),
      })
    })
    after(() => stand.close())

    it('still has the slot settled that began to wait meanwhile', async () => {
      const shown = await stand.land()
      await stand.work()
      await attach(stand.ctx, shown.assetId, owner, 'avatar')
      const { assetId } = await stand.land()
      const settling = `select 1 from rindle_queue.job where name = 'settle_slots' and data->>'id' = '${assetId}'`
      stand.jail.before = async () => {
        stand.jail.before = null
        const { standing } = await attach(stand.ctx, assetId, owner, 'avatar')
        assert.equal(standing, 'pending')
        // Another worker has looked, and the gate had not spoken.
        await stand.database.query(`delete from rindle_queue.job where name = 'settle_slots'`)
      }
      beforeVariant = () => cancelProcessing(stand.ctx, assetId)
      await promoteAsset(stand.ctx, assetId)
      assert.deepEqual((await stand.states(assetId)).variants, ['large cancelled', 'thumb cancelled'])
      assert.equal((await stand.database.query(settling)).length, 1)
      await stand.work()
      const stands = await stand.one(`select asset_id from rindle.media_attachments where standing = 'current'`)
      assert.deepEqual(stands, { asset_id: assetId })
      for (let day = 0; day < 2; day++) await stand.pass(90_000)
      await stand.assertLedger()
      assert.equal((await stand.keys()).length, 1)
    })
  })
}
