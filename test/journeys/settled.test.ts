import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { asset as readAsset } from '../../src/flows/assets/asset.ts'
import { assets } from '../../src/flows/assets/assets.ts'
import { purge } from '../../src/flows/assets/purge.ts'
import { settled } from '../../src/flows/assets/settled.ts'
import { isRindleError } from '../../src/core/errors.ts'
import { engines } from '../services/engines.ts'
import { openStand, type Stand, withCode } from './fixtures/uploads.ts'

for (const engine of engines) {
  describe(`waiting for an asset on ${engine.name}`, { skip: engine.skip }, () => {
    let stand: Stand
    before(async () => {
      stand = await openStand(engine)
    })
    afterEach(() => stand.empty())
    after(() => stand.close())

    it('ends as soon as the worker tells that its variants are done', async () => {
      const { assetId } = await stand.land()
      const waiting = settled(stand.ctx, assetId)
      await stand.work()
      assert.equal((await waiting).state, 'ready')
      assert.equal((await settled(stand.ctx, assetId)).state, 'ready')
    })

    it('ends by looking now and then when nobody tells', async () => {
      const { assetId } = await stand.land()
      const deaf = { ...stand.ctx, changes: { announce: () => {}, watch: () => () => {} } }
      const waiting = settled(deaf, assetId)
      await stand.work()
      const asleep = setInterval(() => stand.clock.advance(2), 20)
      assert.equal((await waiting).state, 'ready')
      clearInterval(asleep)
    })

    it('throws the verdict, in the words of the row and with its details', async () => {
      const { assetId } = await stand.land(new Uint8Array(64))
      await stand.work()
      const asset = await readAsset(stand.ctx, assetId)
      await assert.rejects(settled(stand.ctx, assetId), (err: unknown) => {
        assert.ok(isRindleError(err))
        assert.deepEqual([err.code, err.message], [asset?.error?.code, asset?.error?.message])
        return true
      })
      const long = await stand.initiate({ byteSize: 100_000 })
      await stand.put(await stand.sign(long.id), new Uint8Array(100_000))
      await stand.verify(long.id)
      const visit = stand.jail.visit
      stand.jail.visit = async () => ({
        verdict: 'refuse',
        code: 'max_pixels_exceeded',
        message: 'Too many.',
        details: { pixels: 5, maxPixels: 4 },
      })
      await stand.work()
      stand.jail.visit = visit
      await assert.rejects(settled(stand.ctx, long.assetId), (err: unknown) => {
        assert.ok(isRindleError(err) && err.code === 'max_pixels_exceeded')
        assert.deepEqual([err.details, err.message], [{ pixels: 5, maxPixels: 4 }, 'Too many.'])
        return true
      })
    })

    it('ends at its timeout, its signal, and for what is not there', async () => {
      const { assetId } = await stand.land()
      await assert.rejects(settled(stand.ctx, assetId, { timeoutMs: 0 }), withCode('settled_timeout'))
      const stop = new AbortController()
      const waiting = assert.rejects(settled(stand.ctx, assetId, { signal: stop.signal }), { name: 'AbortError' })
      stop.abort()
      await waiting
      await assert.rejects(settled(stand.ctx, 'nonsense'), withCode('asset_not_found'))
      await stand.work()
      await purge(stand.ctx, assetId)
      await assert.rejects(settled(stand.ctx, assetId), withCode('asset_not_found'))
    })
  })

  describe(`listing assets on ${engine.name}`, { skip: engine.skip }, () => {
    let stand: Stand
    before(async () => {
      stand = await openStand(engine)
    })
    afterEach(() => stand.empty())
    after(() => stand.close())

    it('gives pages, newest first, of an owner, a profile, a state', async () => {
      const owner = { type: 'User', id: 7 }
      const ids: string[] = []
      for (let n = 0; n < 5; n++) ids.unshift((await stand.initiate({ owner })).assetId)
      const other = (await stand.initiate({}, 'plain')).assetId
      const landed = (await stand.land()).assetId

      const first = await assets(stand.ctx, { owner, limit: 3 })
      assert.deepEqual(
        first.assets.map(({ id }) => id),
        ids.slice(0, 3),
      )
      const second = await assets(stand.ctx, { owner, limit: 3, cursor: first.cursor })
      assert.deepEqual([second.assets.map(({ id }) => id), second.cursor], [ids.slice(3), null])
      assert.deepEqual(
        (await assets(stand.ctx, { profile: 'plain' })).assets.map(({ id }) => id),
        [other],
      )
      assert.deepEqual(
        (await assets(stand.ctx, { state: ['validating', 'ready'] })).assets.map(({ id }) => id),
        [landed],
      )
      assert.equal((await assets(stand.ctx)).assets.length, 7)
    })

    it('refuses what cannot be a question', async () => {
      for (const [options, code] of [
        [{ limit: 0 }, 'argument_invalid'],
        [{ limit: 201 }, 'argument_invalid'],
        [{ cursor: 'x' }, 'argument_invalid'],
        [{ state: 'redy' }, 'argument_invalid'],
        [{ profile: 'avatr' }, 'profile_unknown'],
        [{ owner: { type: 'User', id: 1.5 } }, 'owner_invalid'],
      ] as const)
        await assert.rejects(assets(stand.ctx, options as never), withCode(code))
    })
  })
}
