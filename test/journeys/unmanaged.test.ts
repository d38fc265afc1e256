import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type ErrorCode, isRindleError } from '../../src/index.ts'
import { writeWatchSeconds } from '../../src/core/patience.ts'
import { deleteObject } from '../../src/flows/assets/delete-object.ts'
import { settleUnmanagedObject } from '../../src/flows/steps/settle-unmanaged-object.ts'
import { engines } from '../services/engines.ts'
import { type House, jsonOf, openHouse, send } from './fixtures/house.ts'

const code = (expected: ErrorCode) => (err: unknown) => {
  assert.ok(isRindleError(err), String(err))
  assert.equal(err.code, expected)
  return true
}

for (const engine of engines) {
  describe(`objects of the app's own, on ${engine.name}`, { skip: engine.skip }, () => {
    let house: House

    before(async () => {
      house = await openHouse(engine)
    })
    after(() => house.close())

    const text = Buffer.from('hello there')
    const row = async (key: string) =>
      (
        await house.database.query(
          `select id::text, state, role, content_type, byte_size::int as bytes, due_at is null as settled, encode(sha256, 'hex') as sha256 from rindle.media_objects where key = $1`,
          [key],
        )
      )[0]
    const read = async (key: string, options = {}) => {
      const chunks: Uint8Array[] = []
      const { byteSize } = await house.rindle.download(
        'photo',
        key,
        new WritableStream({ write: (chunk) => void chunks.push(chunk) }),
        options,
      )
      return { byteSize, bytes: Buffer.concat(chunks) }
    }

    it('are stored with a row, told about, read in ranges, and gone with their row', async () => {
      const key = 'unmanaged/exports/Überblick 1.csv'
      const stored = await house.rindle.store('photo', key, text)
      assert.deepEqual({ ...stored, etag: '' }, { key, byteSize: 11, contentType: 'text/csv', etag: '' })
      assert.deepEqual(
        { ...(await row(key)), id: '' },
        {
          ...{ id: '', state: 'present', role: 'unmanaged', content_type: 'text/csv', bytes: 11, settled: true },
          sha256: '12998c017066eb0d2a70b94e6ed3192985855ce390f321bbdb832022888bd251',
        },
      )
      assert.deepEqual(await house.rindle.head('photo', key), stored)
      assert.deepEqual(await read(key), { byteSize: 11, bytes: text })
      assert.deepEqual((await read(key, { range: { start: 6, end: 8 } })).bytes.toString(), 'the')
      await house.rindle.delete('photo', key)
      assert.equal(await row(key), undefined)
      assert.equal(await house.rindle.head('photo', key), null)
      await assert.rejects(read(key), code('object_not_found'))
      await house.rindle.delete('photo', key)
      await house.rindle.store('photo', key, text)
      await house.rindle.delete('photo', key)
    })

    it('are written once', async () => {
      await house.rindle.storeVariant('photo', 'unmanaged/once', text, { contentType: 'image/jpg' })
      assert.equal((await house.rindle.head('photo', 'unmanaged/once'))?.contentType, 'image/jpeg')
      const rows = await house.rows()
      await assert.rejects(house.rindle.store('photo', 'unmanaged/once', Buffer.from('other')), code('object_exists'))
      await assert.rejects(house.rindle.storeVariant('photo', 'unmanaged/once', Buffer.from('other')), code('object_exists'))
      assert.match(house.logged.at(-1) ?? '', /an object of the app could not be stored/)
      assert.equal(await house.rows(), rows)
      assert.equal((await read('unmanaged/once')).bytes.toString(), 'hello there')
    })

    const elsewhere = [
      'staging/a/b',
      'sealed/a/b.png',
      'variants/a/thumb/b.webp',
      'loose',
      'unmanaged/../sealed/x',
      'unmanaged/',
      '/unmanaged/x',
      'Unmanaged/x',
      'unmanaged//x',
      'unmanaged/a\\b',
      'unmanaged/\u0000',
    ]
    for (const key of elsewhere)
      it(`cannot be written, ticketed or deleted at ${JSON.stringify(key)}`, async () => {
        const [rows, disk] = [await house.rows(), await house.disk()]
        const refused = (err: unknown) => isRindleError(err) && (err.code === 'object_key_reserved' || err.code === 'object_key_invalid')
        await assert.rejects(house.rindle.store('photo', key, text), refused)
        await assert.rejects(house.rindle.storeVariant('photo', key, text), refused)
        await assert.rejects(house.rindle.presignedPut('photo', key, 60, { byteSize: 1 }), refused)
        await assert.rejects(house.rindle.delete('photo', key), refused)
        assert.equal(await house.rows(), rows)
        assert.deepEqual(await house.disk(), disk)
      })

    it('can be read at any key', async () => {
      const asset = await house.rindle.upload('report', text, { filename: 'a.csv' })
      const [object] = await house.database.query(`select key from rindle.media_objects where asset_id = '${asset.id}'`)
      const key = String(object?.['key'])
      assert.equal((await house.rindle.head('report', key))?.byteSize, 11)
      assert.equal((await read(key)).bytes.toString(), 'hello there')
    })

    it('leave a doomed row and no bytes when their source breaks off, and the key is free once the watch is over', async () => {
      const key = 'unmanaged/broken'
      const source = async function* () {
        yield text
        throw new TypeError('the disk went away')
      }
      const disk = await house.disk()
      await assert.rejects(house.rindle.store('photo', key, source()), code('upload_source_failed'))
      const doomed = await row(key)
      assert.equal(doomed?.['state'], 'doomed')
      assert.deepEqual(
        (await house.disk()).filter((name) => name.includes('broken') || name.includes('rindle-part')),
        [],
      )
      assert.ok((await house.disk()).length >= disk.length)
      await assert.rejects(house.rindle.store('photo', key, text), code('object_exists'))
      await deleteObject(house.ctx, String(doomed?.['id']))
      assert.equal((await row(key))?.['state'], 'watched')
      house.clock.advance(writeWatchSeconds + 1)
      await deleteObject(house.ctx, String(doomed?.['id']))
      assert.equal(await row(key), undefined)
      await house.rindle.store('photo', key, text)
    })

    it('come by a ticket that takes those bytes alone, and are on record when it has ended', async () => {
      const key = 'unmanaged/by-ticket.csv'
      const signed = await house.rindle.presignedPut('photo', key, 120, { byteSize: text.byteLength })
      assert.deepEqual([signed.method, signed.headers], ['PUT', { 'content-type': 'text/csv' }])
      assert.equal(signed.expiresAt.getTime() - house.clock.now().getTime(), 120_000)
      const reserved = await row(key)
      assert.equal(reserved?.['state'], 'reserved')
      const put = (body: Uint8Array) => house.door()(send('PUT', signed.url, { body, headers: { ...signed.headers } }))
      assert.equal((await jsonOf(await put(Buffer.from('longer than that')))).error.code, 'object_size_mismatch')
      assert.equal((await put(text)).status, 200)
      assert.equal((await put(text)).status, 412)

      await settleUnmanagedObject(house.ctx, String(reserved?.['id']))
      assert.equal((await row(key))?.['state'], 'reserved')
      house.clock.advance(120 + 900)
      await settleUnmanagedObject(house.ctx, String(reserved?.['id']))
      assert.deepEqual(
        { ...(await row(key)), id: '', sha256: '' },
        { id: '', state: 'present', role: 'unmanaged', content_type: 'text/csv', bytes: 11, settled: true, sha256: '' },
      )
      await assert.rejects(house.rindle.presignedPut('photo', key, 60, { byteSize: 1 }), code('object_exists'))
    })

    it('are ticketed again while nothing came, watched until the last ticket ends', async () => {
      const key = 'unmanaged/again.bin'
      await house.rindle.presignedPut('photo', key, 60, { byteSize: 1 })
      const first = await row(key)
      await house.rindle.presignedPut('photo', key, 900, { byteSize: 2 })
      assert.equal((await row(key))?.['id'], first?.['id'])
      const [{ seconds } = {}] = await house.database.query(
        `select extract(epoch from watch_until - $2::timestamptz)::int as seconds from rindle.media_objects where key = $1`,
        [key, house.clock.now().toISOString()],
      )
      assert.equal(seconds, 1800)
      house.clock.advance(1801)
      await settleUnmanagedObject(house.ctx, String(first?.['id']))
      assert.equal((await row(key))?.['state'], 'doomed')
    })

    it('take no tickets for longer, larger or other than can be promised', async () => {
      const ask = (seconds: number, options: object) =>
        Reflect.apply(house.rindle.presignedPut, house.rindle, ['photo', 'unmanaged/never', seconds, options])
      for (const [seconds, options] of [
        [901, { byteSize: 1 }],
        [0, { byteSize: 1 }],
        [60, {}],
        [60, { byteSize: -1 }],
        [60, { byteSize: 1, sha256: 'x' }],
      ] as const)
        await assert.rejects(ask(seconds, options), code('argument_invalid'))
      assert.equal(await row('unmanaged/never'), undefined)
    })

    it('are watched when they are deleted while a ticket is out', async () => {
      const key = 'unmanaged/late'
      const signed = await house.rindle.presignedPut('photo', key, 60, { byteSize: 11, contentType: 'text/plain' })
      await house.rindle.delete('photo', key)
      assert.equal((await row(key))?.['state'], 'doomed')
      assert.equal((await house.door()(send('PUT', signed.url, { body: text, headers: { ...signed.headers } }))).status, 403)
    })

    it('belong to a profile that there is', async () => {
      const unknown = (name: 'store' | 'delete' | 'head' | 'download', rest: unknown[]) =>
        Reflect.apply(house.rindle[name], house.rindle, ['nothing', 'unmanaged/x', ...rest])
      await assert.rejects(unknown('store', [text]), code('profile_unknown'))
      await assert.rejects(unknown('head', []), code('profile_unknown'))
      await assert.rejects(unknown('delete', []), code('profile_unknown'))
      await assert.rejects(unknown('download', [new WritableStream()]), code('profile_unknown'))
      assert.throws(() => Reflect.apply(house.rindle.storageAdapterFor, house.rindle, ['nothing']), code('profile_unknown'))
      assert.match(house.rindle.storageAdapterFor('photo').id, /^local:/)
    })
  })
}
