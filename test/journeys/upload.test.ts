import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { engines } from '../services/engines.ts'
import { openStand, type Stand, withCode } from './fixtures/uploads.ts'
import { plainPicture } from './fixtures/plain-processor.ts'

for (const engine of engines) {
  describe(`an upload on ${engine.name}`, { skip: engine.skip }, () => {
    let stand: Stand
    before(async () => {
      stand = await openStand(engine)
    })
    afterEach(() => stand.database.empty())
    after(() => stand.close())

    it('goes from ticket to ready variants', async () => {
      const session = await stand.initiate()
      assert.equal(session.state, 'initialized')
      const signed = await stand.sign(session.id)
      assert.equal(signed.session.state, 'signed')
      await stand.put(signed, plainPicture())
      const verified = await stand.verify(session.id)
      assert.equal(verified.session.state, 'completed')
      assert.equal(verified.asset.state, 'validating')
      assert.deepEqual((await stand.work()).slice(0, 1), ['promote_asset'])
      const { asset, variants, objects, runs } = await stand.states(verified.asset.id)
      assert.equal(asset, 'ready')
      assert.deepEqual(variants, ['large ready', 'thumb ready'])
      assert.deepEqual(objects, ['original present', 'staging watched', 'variant present', 'variant present'])
      assert.deepEqual(runs, ['promote_asset succeeded'])
      await stand.assertLedger()
    })

    it('refuses to verify before anything landed', async () => {
      const session = await stand.initiate()
      await assert.rejects(stand.verify(session.id), withCode('upload_object_missing'))
    })
  })
}
