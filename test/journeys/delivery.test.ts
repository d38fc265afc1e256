import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { isRindleError, type ErrorCode } from '../../src/index.ts'
import type { Handler } from '../../src/doors/http/index.ts'
import { engines } from '../services/engines.ts'
import { type House, jsonOf, openHouse, origin, png, send, tiff } from './fixtures/house.ts'

const throws = (code: ErrorCode, retryable?: boolean) => (err: unknown) => {
  assert.ok(isRindleError(err), String(err))
  assert.equal(err.code, code)
  if (retryable !== undefined) assert.equal(err.retryable, retryable)
  return true
}

for (const engine of engines) {
  describe(`deliver what passed the gate, on ${engine.name}`, { skip: engine.skip }, () => {
    let house: House
    let door: Handler
    let bytes: Buffer<ArrayBuffer>
    let ready: { id: string; profile: string }
    let url: string

    before(async () => {
      house = await openHouse(engine)
      door = house.door()
      bytes = await png()
      ready = await make('photo')
      url = await house.rindle.url(ready)
    })
    after(() => house.close())

    const make = async (profile: 'photo' | 'open' | 'kept' | 'report', source: Buffer = bytes, filename = 'Zoë & me.png') => {
      const asset = await house.rindle.upload(profile, source, { filename })
      await house.promote(asset.id)
      const passed = await house.rindle.asset(asset.id)
      assert.ok(passed)
      return passed
    }
    const get = (address: string, headers: Record<string, string> = {}, method = 'GET') => door(send(method, address, { headers }))

    it('serves the original whole, with everything a browser has to know', async () => {
      const response = await get(url)
      assert.equal(response.status, 200)
      assert.deepEqual(Buffer.from(await response.arrayBuffer()), bytes)
      const headers = Object.fromEntries(response.headers)
      assert.match(headers['etag'] ?? '', /^"[0-9a-f-]{36}"$/)
      delete headers['etag']
      assert.deepEqual(headers, {
        'accept-ranges': 'bytes',
        'cache-control': 'private, max-age=900',
        'content-disposition': `inline; filename="Zoe & me.png"; filename*=UTF-8''Zo%C3%AB%20%26%20me.png`,
        'content-length': String(bytes.byteLength),
        'content-security-policy': "default-src 'none'; sandbox",
        'content-type': 'image/png',
        'cross-origin-resource-policy': 'same-site',
        'x-content-type-options': 'nosniff',
      })
    })

    it('answers HEAD with the same headers and no bytes', async () => {
      const [whole, head] = [await get(url), await get(url, {}, 'HEAD')]
      assert.equal(head.status, 200)
      assert.deepEqual(Object.fromEntries(head.headers), Object.fromEntries(whole.headers))
      assert.equal((await head.arrayBuffer()).byteLength, 0)
      await whole.body?.cancel()
    })

    const ranges: readonly [string, number, number][] = [
      ['bytes=4-7', 4, 8],
      ['bytes=10-', 10, Infinity],
      ['bytes=-4', -4, Infinity],
    ]
    for (const [range, from, to] of ranges)
      it(`serves ${range}`, async () => {
        const response = await get(url, { range })
        const expected = bytes.subarray(from, to === Infinity ? undefined : to)
        const start = bytes.indexOf(expected)
        assert.equal(response.status, 206)
        assert.deepEqual(Buffer.from(await response.arrayBuffer()), expected)
        assert.equal(response.headers.get('content-length'), String(expected.byteLength))
        assert.match(response.headers.get('content-range') ?? '', new RegExp(`^bytes \\d+-\\d+/${bytes.byteLength}$`))
        if (from >= 0) assert.ok(response.headers.get('content-range')?.startsWith(`bytes ${from}-`), String(start))
      })

    it('answers several ranges and nonsense with the whole, and 416 to what is not there', async () => {
      for (const range of ['bytes=0-1,4-5', 'lines=1-2', 'bytes=7-4']) {
        const response = await get(url, { range })
        assert.equal(response.status, 200, range)
        assert.equal((await response.arrayBuffer()).byteLength, bytes.byteLength)
      }
      const beyond = await get(url, { range: `bytes=${bytes.byteLength}-` })
      assert.equal(beyond.status, 416)
      assert.equal(beyond.headers.get('content-range'), `bytes */${bytes.byteLength}`)
      assert.equal((await jsonOf(beyond)).error.code, 'object_range_invalid')
    })

    it('sends nothing again to whoever has it, and a range only of what they have', async () => {
      const etag = (await get(url, {}, 'HEAD')).headers.get('etag') ?? ''
      const same = await get(url, { 'if-none-match': `"x", W/${etag}` })
      assert.equal(same.status, 304)
      assert.equal(same.headers.get('etag'), etag)
      assert.equal(same.headers.get('content-length'), null)
      assert.equal((await get(url, { 'if-none-match': '"x"' }, 'HEAD')).status, 200)
      for (const [ifRange, status] of [
        [etag, 206],
        ['"x"', 200],
        [`W/${etag}`, 200],
        ['Wed, 21 Oct 2026 07:28:00 GMT', 200],
      ] as const) {
        const response = await get(url, { range: 'bytes=0-1', 'if-range': ifRange })
        assert.equal(response.status, status, ifRange)
        await response.body?.cancel()
      }
    })

    it('serves variants by name, named after the file', async () => {
      const response = await get(await house.rindle.variantUrl(ready.id, 'thumb'))
      assert.equal(response.headers.get('content-type'), 'image/webp')
      assert.match(response.headers.get('content-disposition') ?? '', /filename="Zoe & me-thumb\.webp"/)
      assert.equal(Buffer.from(await response.arrayBuffer()).toString('latin1', 8, 12), 'WEBP')
    })

    it('honours the disposition and the name that were asked for', async () => {
      const address = await house.rindle.url(ready, { disposition: 'attachment', filename: '../we"ird\r\n.png' })
      const header = (await get(address, {}, 'HEAD')).headers.get('content-disposition') ?? ''
      assert.equal(header, `attachment; filename="we_ird_.png"; filename*=UTF-8''we%22ird_.png`)
    })

    it('ends a private URL when its time is over, and says so in the cache header', async () => {
      const address = await house.rindle.url(ready, { expiresInSeconds: 60 })
      house.clock.advance(45)
      const response = await get(address, {}, 'HEAD')
      assert.equal(response.headers.get('cache-control'), 'private, max-age=15')
      house.clock.advance(15)
      const late = await get(address)
      assert.equal(late.status, 403)
      assert.equal((await jsonOf(late)).error.code, 'ticket_expired')
      assert.equal(late.headers.get('cache-control'), 'no-store')
      url = await house.rindle.url(ready)
    })

    it('gives a public profile one unsigned address, the same for everybody and cacheable for ever', async () => {
      const asset = await make('open')
      const [one, other] = [await house.rindle.url(asset), await house.rindle.url(asset, { actor: 'somebody' })]
      assert.equal(one, other)
      house.clock.advance(40 * 86_400)
      assert.equal(await house.rindle.url(asset), one)
      const response = await get(one, {}, 'HEAD')
      assert.equal(response.status, 200)
      assert.equal(response.headers.get('cache-control'), 'public, max-age=31536000, immutable')
      assert.equal(response.headers.get('access-control-allow-origin'), '*')
      assert.equal(response.headers.get('cross-origin-resource-policy'), 'cross-origin')
      url = await house.rindle.url(ready)
    })

    it('always serves files of a file profile as attachments', async () => {
      for (const [source, filename] of [
        [bytes, 'a.png'],
        [Buffer.from('a,b\n1,2\n'), 'a.csv'],
      ] as const) {
        const asset = await make('report', source, filename)
        const response = await get(await house.rindle.url(asset, { disposition: 'inline' }), {}, 'HEAD')
        assert.match(response.headers.get('content-disposition') ?? '', /^attachment;/, filename)
      }
    })

    it('asks the authorizer first, with the asset as its subject', async () => {
      const asset = await make('kept')
      await assert.rejects(house.rindle.url(asset, { actor: 'stranger' }), throws('not_authorized', false))
      assert.deepEqual(house.asked.at(-1), ['stranger', 'kept'])
      assert.match(await house.rindle.url(asset, { actor: 'friend' }), /^https:\/\/app\.test\/media\/objects\//)
      const staged = await house.rindle.initiateUpload('kept', { filename: 'a.png', byteSize: 1 })
      await assert.rejects(house.rindle.url(staged.assetId, { actor: 'stranger' }), throws('not_authorized'))
    })

    it('has no URL of what is in the gate, refused or unknown', async () => {
      const waiting = await house.rindle.upload('photo', bytes, { filename: 'a.png' })
      await assert.rejects(house.rindle.url(waiting), throws('asset_not_available', true))
      await assert.rejects(house.rindle.variantUrl(waiting, 'thumb'), throws('asset_not_available', true))
      const lying = await make('photo', Buffer.from('not a picture at all'), 'a.png')
      assert.equal(lying.state, 'quarantined')
      await assert.rejects(house.rindle.url(lying), throws('asset_not_available', false))
      await assert.rejects(house.rindle.url('nonsense'), throws('asset_not_found'))
      await assert.rejects(house.rindle.url('01a20459-5065-7573-89b6-6c1798020b97'), throws('asset_not_found'))
      const unknown: string = 'gone'
      await assert.rejects(Reflect.apply(house.rindle.variantUrl, house.rindle, [ready, unknown]), throws('variant_unknown'))
    })

    it('lets the original stand in for a variant only where browsers draw it', async () => {
      for (const [source, filename, draws] of [
        [bytes, 'a.png', true],
        [await tiff(), 'a.tiff', false],
      ] as const) {
        const asset = await make('photo', source, filename)
        await house.database.query(
          `update rindle.media_variants set state = 'failed', object_id = null where asset_id = '${asset.id}' and name = 'thumb'`,
        )
        if (!draws) await assert.rejects(house.rindle.variantUrl(asset.id, 'thumb'), throws('variant_not_available', true))
        else
          assert.equal((await get(await house.rindle.variantUrl(asset.id, 'thumb'), {}, 'HEAD')).headers.get('content-type'), 'image/png')
      }
    })

    it('stops serving at once what was refused later, purged, or made private, whatever URLs are out', async () => {
      const [asset, purged] = [await make('open'), await make('open')]
      const [address, gone] = [await house.rindle.url(asset), await house.rindle.url(purged)]
      assert.equal((await get(address, {}, 'HEAD')).status, 200)
      await house.database.query(`update rindle.media_assets set state = 'quarantined', due_at = now() where id = '${asset.id}'`)
      const refused = await get(address)
      assert.equal(refused.status, 404)
      assert.equal((await jsonOf(refused)).error.code, 'object_not_found')
      await house.database.query(
        `update rindle.media_assets set state = 'ready', due_at = null, profile = 'photo' where id = '${asset.id}'`,
      )
      assert.equal((await get(address)).status, 404)
      await house.rindle.purge(purged)
      assert.equal((await get(gone)).status, 404)
    })

    it('says where URLs are missing a base, and takes any path that carries the ticket', async () => {
      assert.ok(url.startsWith(`${origin}/media/objects/`))
      const ticket = url.slice(url.lastIndexOf('/') + 1)
      assert.equal((await get(`${origin}/objects/${ticket}`, {}, 'HEAD')).status, 200)
    })
  })
}
