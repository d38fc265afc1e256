import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { isRindleError } from '../../src/index.ts'
import { createHandler, type Handler, type Question } from '../../src/doors/http/index.ts'
import { httpRoutes } from '../../src/doors/http/table.ts'
import { engines } from '../services/engines.ts'
import { type House, jsonOf, openHouse, origin, png, send } from './fixtures/house.ts'

for (const engine of engines) {
  describe(`the http door on ${engine.name}`, { skip: engine.skip }, () => {
    let house: House
    let door: Handler
    let bytes: Buffer<ArrayBuffer>
    const asked: Question<unknown>[] = []

    before(async () => {
      house = await openHouse(engine)
      door = house.door({
        identify: (request) => (request.headers.get('x-user') ? { type: 'User', id: 7 } : null),
        authorize: (question) => void asked.push(question) === undefined && question.actor !== null,
        origins: ['https://pages.test'],
      })
      bytes = await png()
    })
    after(() => house.close())

    const me = { 'x-user': '7' }
    const ask = async (method: string, path: string, options: { body?: unknown; headers?: Record<string, string> } = {}) => {
      const response = await door(send(method, path, { ...options, headers: { ...me, ...options.headers } }))
      const text = await response.text()
      return { status: response.status, headers: response.headers, body: text === '' ? null : JSON.parse(text) }
    }
    const declared = (more: object = {}) => ({ profile: 'photo', filename: 'me.png', byteSize: bytes.byteLength, ...more })
    const open = async (more: object = {}) => (await ask('POST', '/uploads', { body: declared(more) })).body.session
    const sign = async (id: string) => (await ask('POST', `/uploads/${id}/sign`, { body: {} })).body.presigned

    it('takes a file from its declaration to its addresses', async () => {
      const created = await ask('POST', '/uploads', { body: declared() })
      assert.equal(created.status, 201)
      const { session } = created.body
      assert.deepEqual(Object.keys(session), [
        'id',
        'assetId',
        'profile',
        'state',
        'uploadStrategy',
        'byteSize',
        'partBytes',
        'contentType',
        'expiresAt',
      ])
      assert.deepEqual([session.state, session.profile, session.contentType], ['initialized', 'photo', 'image/png'])

      const early = await ask('POST', `/uploads/${session.id}/verify`, { body: {} })
      assert.deepEqual([early.status, early.body.error.code, early.body.error.retryable], [422, 'upload_object_missing', true])

      const presigned = await sign(session.id)
      assert.equal(presigned.method, 'PUT')
      assert.ok(presigned.url.startsWith(`${origin}/media/objects/`))
      const put = () => door(send('PUT', presigned.url, { body: bytes, headers: presigned.headers }))
      assert.equal((await put()).status, 200)
      assert.equal((await put()).status, 412)

      const verified = await ask('POST', `/uploads/${session.id}/verify`, { body: {} })
      assert.deepEqual([verified.status, verified.body.session.state, verified.body.asset.state], [200, 'completed', 'validating'])
      assert.deepEqual((await ask('POST', `/uploads/${session.id}/verify`, { body: {} })).body, verified.body)

      const waiting = await ask('GET', `/assets/${session.assetId}`)
      assert.deepEqual([waiting.body.url, waiting.body.variants], [null, {}])
      await house.promote(session.assetId)
      const { status, headers, body } = await ask('GET', `/assets/${session.assetId}`)
      assert.equal(status, 200)
      assert.equal(headers.get('cache-control'), 'no-store')
      assert.deepEqual(
        Object.keys(body).join(' '),
        'id profile state kind contentType width height durationMs placeholder error url variants',
      )
      assert.deepEqual([body.state, body.kind, body.width, body.height, body.error], ['ready', 'image', 320, 240, null])
      assert.match(body.placeholder, /^[A-Za-z0-9+/]+=*$/)
      const { url: thumb, ...facts } = body.variants.thumb
      assert.deepEqual(facts, {
        ...{ state: 'ready', progress: 100, contentType: 'image/webp', width: 32, height: 32, durationMs: null },
        error: null,
        trackUrl: null,
      })
      for (const address of [body.url, thumb, body.variants.large.url]) assert.equal((await door(send('GET', address))).status, 200)
    })

    it('opens uploads as the actor, who is nobody else', async () => {
      const { assetId } = await open()
      assert.deepEqual((await house.rindle.asset(assetId))?.owner, { type: 'User', id: '7' })
      const forged = await ask('POST', '/uploads', { body: declared({ owner: { type: 'User', id: 8 } }) })
      assert.deepEqual([forged.status, forged.body.error.code], [400, 'body_invalid'])
      const [one, other] = [await open({ idempotencyKey: 'k' }), await open({ idempotencyKey: 'k' })]
      assert.equal(one.id, other.id)
      const clash = await ask('POST', '/uploads', { body: declared({ idempotencyKey: 'k', filename: 'other.png' }) })
      assert.deepEqual([clash.status, clash.body.error.code], [409, 'idempotency_key_reused'])
    })

    it('gives an upload up', async () => {
      const { id } = await open()
      const presigned = await sign(id)
      assert.equal((await ask('DELETE', `/uploads/${id}`)).body.session.state, 'aborted')
      const put = await door(send('PUT', presigned.url, { body: bytes, headers: presigned.headers }))
      assert.ok(put.status >= 400)
      assert.equal((await ask('POST', `/uploads/${id}/sign`, { body: {} })).body.error.code, 'upload_session_ended')
    })

    it('asks the app in every route but ticketed ones, with what it is about, and stops at a no', async () => {
      const { id, assetId } = await open()
      const calls: readonly [string, string, string, object | undefined, string][] = [
        ['createUpload', 'POST', '/uploads', declared(), 'profile'],
        ['signUpload', 'POST', `/uploads/${id}/sign`, {}, 'session'],
        ['signPart', 'POST', `/uploads/${id}/parts/1/sign`, {}, 'session'],
        ['completeUpload', 'POST', `/uploads/${id}/complete`, {}, 'session'],
        ['verifyUpload', 'POST', `/uploads/${id}/verify`, {}, 'session'],
        ['cancelUpload', 'DELETE', `/uploads/${id}`, undefined, 'session'],
        ['readAsset', 'GET', `/assets/${assetId}`, undefined, 'asset'],
      ]
      const asking = httpRoutes.filter(({ action }) => action !== 'ticket')
      assert.deepEqual(
        calls.map(([name]) => name),
        asking.map(({ name }) => name),
      )
      const rows = await house.rows()
      for (const [name, method, path, body, subject] of calls) {
        asked.length = 0
        const response = await door(send(method, path, { body }))
        const { error } = await jsonOf(response)
        const action = asking.find((route) => route.name === name)?.action
        assert.deepEqual([response.status, error.code, error.details], [403, 'not_authorized', { action }], name)
        assert.deepEqual(
          [asked.length, asked[0]?.actor, asked[0]?.action, Object.keys(asked[0]?.subject ?? {})],
          [1, null, action, [subject]],
        )
      }
      assert.equal(await house.rows(), rows)
    })

    it('takes nothing but true for a yes', async () => {
      for (const answer of ['1', '"yes"', '{}', 'null', '[true]', '"true"']) {
        const lax = house.door({ authorize: () => JSON.parse(answer) })
        assert.equal((await lax(send('POST', '/uploads', { body: declared() }))).status, 403, answer)
      }
    })

    it('keeps addresses from those who may only read', async () => {
      const asset = await house.rindle.upload('photo', bytes, { filename: 'a.png' })
      await house.promote(asset.id)
      const reader = house.door({ authorize: ({ action }) => action === 'asset.read' })
      const body = await jsonOf(await reader(send('GET', `/assets/${asset.id}`)))
      assert.deepEqual([body.state, body.url, body.variants.thumb.url], ['ready', null, null])
    })

    it('shows the verdict on a refused file', async () => {
      const asset = await house.rindle.upload('photo', Buffer.from('<script>alert(1)</script>'), { filename: 'a.png' })
      await house.promote(asset.id)
      const { body } = await ask('GET', `/assets/${asset.id}`)
      assert.deepEqual([body.state, body.url, body.variants, typeof body.error.message], ['quarantined', null, {}, 'string'])
    })

    it('reads no list of parts for who may not complete the upload', async () => {
      const { id } = await open()
      const body = JSON.stringify({ parts: 'x'.repeat(1_000_000) })
      const mine = await ask('POST', `/uploads/${id}/complete`, { body })
      assert.notEqual(mine.body.error.code, 'upload_session_not_found')
      const nobodys = await ask('POST', `/uploads/${'0'.repeat(8)}-0000-7000-8000-${'0'.repeat(12)}/complete`, { body: '{' })
      assert.deepEqual([nobodys.status, nobodys.body.error.code], [404, 'upload_session_not_found'])
    })

    it('takes JSON alone, so that no form of a foreign page can post', async () => {
      const { id } = await open()
      for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', '']) {
        for (const path of [
          '/uploads',
          `/uploads/${id}/sign`,
          `/uploads/${id}/parts/1/sign`,
          `/uploads/${id}/complete`,
          `/uploads/${id}/verify`,
        ]) {
          const response = await ask('POST', path, { body: JSON.stringify(declared()), headers: { 'content-type': type } })
          assert.deepEqual([response.status, response.body.error.code], [415, 'body_type_unsupported'], `${type} ${path}`)
        }
      }
      assert.equal(
        (await ask('POST', `/uploads/${id}/sign`, { body: '', headers: { 'content-type': 'application/json; charset=utf-8' } })).status,
        200,
      )
    })

    const bodies: readonly [string, unknown, RegExp][] = [
      ['what is not JSON', '{', /not JSON/],
      ['a list', '[]', /no JSON object/],
      ['a missing field', { filename: 'a.png', byteSize: 1 }, /profile is missing/],
      ['a field of another type', { profile: 'photo', filename: 'a.png', byteSize: '1' }, /byteSize is no number/],
      [
        'an unknown field, with a hint',
        { profile: 'photo', filename: 'a.png', byteSize: 1, contentTyp: 'image/png' },
        /did you mean contentType/,
      ],
      ['inherited names', '{"__proto__":{"profile":"photo"},"filename":"a.png","byteSize":1}', /profile is missing|__proto__/],
      [
        'a part size without parts',
        { profile: 'photo', filename: 'a.png', byteSize: 1, partBytes: 1 },
        /partBytes is for uploads with multipart/,
      ],
      [
        'a flag that is neither',
        { profile: 'photo', filename: 'a.png', byteSize: 1, multipart: 'yes' },
        /multipart is neither true nor false/,
      ],
      ['more than 64 KiB', { profile: 'x'.repeat(70_000) }, /larger than/],
    ]
    for (const [what, body, pattern] of bodies)
      it(`refuses ${what}`, async () => {
        const response = await ask('POST', '/uploads', { body })
        assert.deepEqual([response.status, response.body.error.code], [400, 'body_invalid'])
        assert.match(response.body.error.message, pattern)
      })

    it('refuses what can be known before the bytes, and leaves no row', async () => {
      const rows = await house.rows()
      const refused: readonly [object, number, string][] = [
        [declared({ profile: 'nothing' }), 422, 'profile_unknown'],
        [declared({ filename: 'me.gif' }), 422, 'upload_extension_not_allowed'],
        [declared({ contentType: 'text/html' }), 422, 'upload_type_not_allowed'],
        [declared({ byteSize: 2_000_001 }), 413, 'upload_too_large'],
        [declared({ multipart: true }), 422, 'upload_unsupported'],
      ]
      for (const [body, status, code] of refused) {
        const response = await ask('POST', '/uploads', { body })
        assert.deepEqual([response.status, response.body.error.code], [status, code])
        assert.deepEqual(Object.keys(response.body.error), ['code', 'message', 'details', 'retryable'])
      }
      assert.equal(await house.rows(), rows)
    })

    it('knows its addresses and methods', async () => {
      for (const path of ['/nothing', '/', '', '/uploads/x/y/z', '/assets'])
        assert.equal((await ask('GET', path)).body.error.code, 'route_not_found', path)
      const wrong = await ask('GET', '/uploads')
      assert.deepEqual([wrong.status, wrong.headers.get('allow'), wrong.body.error.code], [405, 'POST', 'method_not_allowed'])
      for (const id of ['nonsense', '%00', '01a20459-5065-7573-89b6-6c1798020b97', "'; drop table x"]) {
        assert.equal((await ask('GET', `/assets/${encodeURIComponent(id)}`)).body.error.code, 'asset_not_found')
        assert.equal((await ask('DELETE', `/uploads/${encodeURIComponent(id)}`)).body.error.code, 'upload_session_not_found')
      }
      assert.equal((await door(send('GET', '/objects/nonsense'))).status, 403)
    })

    it('answers below its mount path, whether or not the framework cut that off', async () => {
      const { assetId } = await open()
      for (const url of [
        `${origin}/media/assets/${assetId}`,
        `${origin}/assets/${assetId}`,
        `http://localhost:81/media/assets/${assetId}?x=1`,
      ])
        assert.equal((await ask('GET', url)).status, 200, url)
      const elsewhere = house.door({ basePath: '/files' })
      assert.equal((await elsewhere(send('GET', `${origin}/files/assets/${assetId}`))).status, 200)
      assert.equal((await elsewhere(send('GET', `${origin}/media/assets/${assetId}`))).status, 404)
    })

    it('lets pages of listed origins call, and no others', async () => {
      const preflight = (from: string, path: string) =>
        door(
          send('OPTIONS', path, {
            headers: { origin: from, 'access-control-request-method': 'PUT', 'access-control-request-headers': 'content-type' },
          }),
        )
      const granted = await preflight('https://pages.test', '/objects/x')
      assert.equal(granted.status, 204)
      assert.equal(granted.headers.get('access-control-allow-origin'), 'https://pages.test')
      assert.equal(granted.headers.get('access-control-allow-methods'), 'GET, HEAD, PUT')
      assert.match(granted.headers.get('access-control-allow-headers') ?? '', /content-type/)
      for (const from of ['https://evil.test', 'null', 'https://pages.test.evil.test']) {
        const response = await preflight(from, '/uploads')
        assert.equal(response.headers.get('access-control-allow-origin'), null, from)
        const read = await ask('GET', '/assets/x', { headers: { origin: from } })
        assert.equal(read.headers.get('access-control-allow-origin'), null, from)
        assert.equal(read.headers.get('vary'), 'origin')
      }
      const read = await ask('GET', '/assets/x', { headers: { origin: 'https://pages.test' } })
      assert.equal(read.headers.get('access-control-allow-origin'), 'https://pages.test')
      assert.equal(read.headers.get('access-control-allow-credentials'), 'true')
      const bytesOf = await door(send('GET', '/objects/x', { headers: { origin: 'https://pages.test' } }))
      assert.equal(bytesOf.headers.get('access-control-allow-credentials'), null)
    })

    it('says when something before it has eaten the body', async () => {
      const request = send('POST', '/uploads', { body: declared(), headers: me })
      await request.text()
      assert.equal((await jsonOf(await door(request))).error.code, 'body_consumed')
      const emptied = new Request(`${origin}/media/uploads`, {
        method: 'POST',
        headers: { ...me, 'content-type': 'application/json', 'content-length': '40' },
      })
      assert.equal((await jsonOf(await door(emptied))).error.code, 'body_consumed')
    })

    it('tells strangers nothing of what went wrong inside, and the log all of it', async () => {
      const secret = 'postgres://user:password@host'
      const broken = house.door({
        identify: () => {
          throw new TypeError(secret)
        },
      })
      const response = await broken(send('GET', '/assets/x'))
      assert.equal(response.status, 500)
      assert.deepEqual((await jsonOf(response)).error, {
        code: 'internal_error',
        message: 'Something failed on our side; try again.',
        details: {},
        retryable: true,
      })
      assert.match(JSON.stringify(house.logged.at(-1)), /postgres/)
    })

    it('names no key and no store to whoever asks for what is gone from storage', async () => {
      const asset = await house.rindle.upload('photo', bytes, { filename: 'a.png' })
      await house.promote(asset.id)
      const url = await house.rindle.url(asset.id)
      const where = `o.asset_id = '${asset.id}' and o.role = 'original' and o.state = 'present'`
      const [object] = await house.database.query(`select o.key, o.store from rindle.media_objects o where ${where}`)
      await house.rindle.storageAdapterFor('photo').delete(String(object?.['key']))
      const gone = await door(send('GET', url))
      assert.equal(gone.status, 404)
      const told = url + (await gone.text()) + JSON.stringify([...gone.headers])
      assert.ok(!told.includes(String(object?.['key'])) && !told.includes('local:') && !told.includes('sealed'))
    })

    it('does not mount without identify and authorize, and says what to write', () => {
      const mount = (options: object) => () => Reflect.apply(createHandler, null, [house.rindle, options])
      assert.throws(
        mount({}),
        (err) =>
          isRindleError(err) && err.code === 'handler_options_invalid' && /identify and authorize.*createHandler\(rindle/.test(err.message),
      )
      assert.throws(
        mount({ identify: () => null }),
        (err) => isRindleError(err) && err.code === 'handler_options_invalid' && err.details.missing.join() === 'authorize',
      )
      const whole = { identify: () => null, authorize: () => true }
      for (const wrong of [
        { origins: ['*'] },
        { origins: ['https://a.test/'] },
        { origins: 'https://a.test' },
        { basePath: 'x' },
        { origin: [] },
      ])
        assert.throws(mount({ ...whole, ...wrong }), (err) => isRindleError(err) && err.code === 'options_invalid', JSON.stringify(wrong))
      assert.throws(
        () => Reflect.apply(createHandler, null, [{}, whole]),
        (err) => isRindleError(err) && err.code === 'argument_invalid',
      )
    })
  })
}
