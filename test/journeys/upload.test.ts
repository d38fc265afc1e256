import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { after, afterEach, before, describe, it } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { createHash } from 'node:crypto'
import { cancelUpload } from '../../src/flows/uploads/cancel-upload.ts'
import { upload } from '../../src/flows/uploads/upload.ts'
import { settled } from '../../src/flows/assets/settled.ts'
import { engines } from '../services/engines.ts'
import { plainPicture } from './fixtures/plain-jail.ts'
import { openStand, type Stand, withCode } from './fixtures/uploads.ts'

const anna = { type: 'User', id: 7 }

for (const engine of engines) {
  describe(`an upload on ${engine.name}`, { skip: engine.skip }, () => {
    let stand: Stand
    let folder: string
    before(async () => {
      stand = await openStand(engine)
      folder = mkdtempSync(join(tmpdir(), 'rindle-upload-'))
    })
    afterEach(() => stand.empty())
    after(async () => {
      rmSync(folder, { recursive: true, force: true })
      await stand.close()
    })
    const count = async (table: string) => Number((await stand.one(`select count(*)::int as n from rindle.${table}`))['n'])

    it('goes from ticket to ready variants', async () => {
      const session = await stand.initiate({ owner: anna })
      assert.equal(session.state, 'initialized')
      assert.deepEqual(session.owner, { type: 'User', id: '7' })
      const signed = await stand.sign(session.id)
      assert.equal(signed.session.state, 'signed')
      await stand.put(signed, plainPicture())
      const verified = await stand.verify(session.id)
      assert.equal(verified.session.state, 'completed')
      assert.equal(verified.asset.state, 'validating')
      assert.equal(verified.asset.byteSize, 64)
      assert.equal((await stand.work())[0], 'promote_asset')

      const asset = await settled(stand.ctx, verified.asset.id)
      assert.deepEqual([asset.state, asset.kind, asset.contentType, asset.width, asset.height], ['ready', 'image', 'image/png', 3, 2])
      assert.equal(asset.receivedSha256, createHash('sha256').update(plainPicture()).digest('hex'))
      const { variants, objects, runs } = await stand.states(asset.id)
      assert.deepEqual(variants, ['large ready', 'thumb ready'])
      assert.deepEqual(objects, ['original present', 'staging watched', 'variant present', 'variant present'])
      assert.deepEqual(runs, ['promote_asset succeeded'])
      assert.deepEqual(await stand.history(asset.id), ['born', 'accept', 'analyze', 'promote', 'admit', 'process', 'finish'])
      assert.deepEqual(await stand.history(session.id), ['born', 'sign', 'verify', 'complete'])
      assert.match((await stand.keys()).join(' '), /^sealed\/\S+\.png variants\/\S+\/large\/\S+\.png variants\/\S+\/thumb\/\S+\.png$/)
      await stand.assertLedger()
    })

    it('ends within moments of being cancelled by somebody else, not with its next renewal', { timeout: 20_000 }, async () => {
      let cancelled = false
      const source = new ReadableStream<Uint8Array>({ cancel: () => void (cancelled = true) })
      const uploading = upload(stand.ctx, 'avatar', source, { filename: 'me.png' })
      const ended = assert.rejects(uploading, withCode('upload_session_ended'))
      let sessionId: unknown
      while (typeof sessionId !== 'string') {
        await setTimeout(5)
        sessionId = (await stand.one('select id from rindle.media_upload_sessions'))['id']
      }
      await cancelUpload(stand.ctx, sessionId)
      while (!cancelled) {
        stand.clock.advance(0.1)
        await setTimeout(5)
      }
      await ended
    })

    it('leaves no row when what is declared is refused', async () => {
      const cases = [
        [{ filename: 'me.png' }, 'avatr', 'profile_unknown'],
        [{ byteSize: undefined }, 'avatar', 'upload_byte_size_required'],
        [{ byteSize: -1 }, 'avatar', 'argument_invalid'],
        [{ byteSize: 100_001 }, 'avatar', 'upload_too_large'],
        [{ filename: '' }, 'avatar', 'argument_invalid'],
        [{ filename: 'me' }, 'avatar', 'extension_missing'],
        [{ filename: 'me.exe' }, 'avatar', 'upload_extension_not_allowed'],
        [{ contentType: 'image/svg+xml' }, 'avatar', 'upload_type_not_allowed'],
        [{ sha256: 'beef' }, 'avatar', 'argument_invalid'],
        [{ owner: { type: '', id: 1 } }, 'avatar', 'owner_invalid'],
        [{ idempotencyKey: 'once' }, 'avatar', 'argument_invalid'],
        [{ owner: anna, idempotencyKey: 'a\u0000b' }, 'avatar', 'argument_invalid'],
        [{ owner: anna, idempotencyKey: 'a\ud800b' }, 'avatar', 'argument_invalid'],
        [{ expiresInSeconds: 1 }, 'avatar', 'argument_invalid'],
      ] as const
      for (const [wish, profile, code] of cases) {
        const given = { filename: 'me.png', byteSize: 64, ...wish }
        await assert.rejects(stand.initiate(given as never, profile), withCode(code), JSON.stringify(wish))
      }
      for (const table of ['media_assets', 'media_upload_sessions', 'media_objects', 'state_moves'])
        assert.equal(await count(table), 0, table)
    })

    it('takes the type from the extension when the client does not say', async () => {
      assert.equal((await stand.initiate({ filename: 'me.JPG' })).declaredType, 'image/jpeg')
      assert.equal((await stand.initiate({ filename: 'me.png', contentType: 'image/PNG; x=1' })).declaredType, 'image/png')
    })

    it('is the first one again for the same idempotency key, and only for the same file', async () => {
      const wish = { owner: anna, idempotencyKey: 'form-1' }
      const [first, second] = await Promise.all([stand.initiate(wish), stand.initiate(wish)])
      assert.equal(first.id, second.id)
      assert.deepEqual(await stand.initiate(wish), first)
      assert.equal(await count('media_assets'), 1)
      assert.equal(await count('media_objects'), 1)
      await assert.rejects(stand.initiate({ ...wish, byteSize: 65 }), withCode('idempotency_key_reused'))
      await assert.rejects(stand.initiate({ ...wish, filename: 'other.png' }), withCode('idempotency_key_reused'))
      const others = await stand.initiate({ ...wish, owner: { type: 'User', id: 8 } })
      assert.notEqual(others.id, first.id)
      assert.deepEqual(await stand.initiate({ ...wish, owner: { type: 'User', id: 8 } }), others)
      assert.notEqual((await stand.initiate(wish, 'plain')).id, first.id)
    })

    it('gives an idempotency key back when its session ended without a file', async () => {
      const wish = { owner: anna, idempotencyKey: 'form-1', expiresInSeconds: 60 }
      const first = await stand.initiate(wish)
      await stand.pass(70)
      assert.notEqual((await stand.initiate(wish)).id, first.id)
    })

    it('opens in the transaction of the app, or not at all', async () => {
      const wish = { owner: anna, idempotencyKey: 'theirs' }
      await stand.inTheirTransaction('rollback', (tx) => stand.initiate({ ...wish, tx }))
      assert.equal(await count('media_assets'), 0)
      await stand.inTheirTransaction('commit', async (tx) => {
        const first = await stand.initiate({ ...wish, tx })
        assert.equal((await stand.initiate({ ...wish, tx })).id, first.id)
      })
      assert.equal(await count('media_assets'), 1)
    })

    it('signs again for the same key, for as long as the session is open', async () => {
      const session = await stand.initiate()
      const first = await stand.sign(session.id)
      stand.clock.advance(600)
      const second = await stand.sign(session.id)
      assert.notEqual(first.presigned.url, second.presigned.url)
      assert.equal(second.presigned.expiresAt.getTime() - stand.clock.now().getTime(), 900_000)
      await stand.put(first, plainPicture())
      await assert.rejects(stand.put(second, plainPicture()), withCode('object_exists'))
      const watch = (await stand.one('select watch_until from rindle.media_objects'))['watch_until']
      assert.deepEqual(watch, new Date(second.presigned.expiresAt.getTime() + 900_000))
      await stand.verify(session.id)
      await assert.rejects(stand.sign(session.id), withCode('upload_session_ended'))
    })

    it('gives no ticket that outlives its session, and none after it', async () => {
      const session = await stand.initiate({ expiresInSeconds: 300 })
      stand.clock.advance(100)
      assert.deepEqual((await stand.sign(session.id)).presigned.expiresAt, session.expiresAt)
      stand.clock.advance(200)
      await assert.rejects(stand.sign(session.id), withCode('upload_session_expired'))
      await stand.pass(10)
      await assert.rejects(stand.sign(session.id), withCode('upload_session_expired'))
    })

    it('answers for sessions that never were', async () => {
      for (const id of ['nonsense', '00000000-0000-7000-8000-000000000000']) {
        await assert.rejects(stand.sign(id), withCode('upload_session_not_found'))
        await assert.rejects(stand.verify(id), withCode('upload_session_not_found'))
      }
    })

    describe('through the server', () => {
      const bytes = plainPicture(1000)
      const path = () => {
        const file = join(folder, 'holiday.png')
        writeFileSync(file, bytes)
        return file
      }
      const chunks = async function* () {
        for (let at = 0; at < bytes.byteLength; at += 300) yield bytes.subarray(at, at + 300)
      }
      const sources = {
        'a path': path,
        'a Buffer': () => Buffer.from(bytes),
        'an ArrayBuffer': () => bytes.buffer,
        'a Blob': () => new Blob([bytes]),
        'a File': () => new File([bytes], 'holiday.png'),
        'a web stream': () => new Blob([bytes]).stream(),
        'a Node stream': () => Readable.from(chunks()),
        'an async iterable': chunks,
      }

      it('takes bytes from wherever they come', async () => {
        for (const [name, open] of Object.entries(sources)) {
          const named = name === 'a path' || name === 'a File' ? {} : { filename: 'holiday.png' }
          const asset = await upload(stand.ctx, 'avatar', open(), named)
          assert.deepEqual([asset.state, asset.filename, asset.byteSize], ['validating', 'holiday.png', 1000], name)
          await stand.work()
          const judged = await settled(stand.ctx, asset.id)
          assert.equal(judged.state, 'ready', name)
          assert.equal(judged.receivedSha256, createHash('sha256').update(bytes).digest('hex'), name)
        }
        await stand.assertLedger()
      })

      it('has a session that passes through uploading to completed', async () => {
        const asset = await upload(stand.ctx, 'avatar', Buffer.from(bytes), { filename: 'a.png', owner: anna })
        const session = await stand.one('select id, state, upload_strategy from rindle.media_upload_sessions')
        assert.deepEqual([session['state'], session['upload_strategy']], ['completed', 'proxied'])
        assert.deepEqual(await stand.history(String(session['id'])), ['born', 'receive', 'verify', 'complete'])
        assert.deepEqual(asset.owner, { type: 'User', id: '7' })
      })

      it('refuses a file that is too large: at once when its size is known, else as soon as it passes the limit', async () => {
        await assert.rejects(upload(stand.ctx, 'avatar', Buffer.alloc(100_001), { filename: 'a.png' }), withCode('upload_too_large'))
        assert.equal(await count('media_assets'), 0)
        let yielded = 0
        const endless = async function* () {
          for (;;) {
            yielded += 10_000
            yield new Uint8Array(10_000)
          }
        }
        await assert.rejects(upload(stand.ctx, 'avatar', endless(), { filename: 'a.png' }), withCode('upload_too_large'))
        assert.ok(yielded < 150_000, `${yielded} bytes were read`)
        assert.deepEqual(await stand.keys(), [])
        assert.equal((await stand.one('select state from rindle.media_upload_sessions'))['state'], 'aborted')
      })

      it('keeps nothing of a source that breaks off', async () => {
        const breaking = async function* () {
          yield plainPicture(100)
          throw new Error('the network went away')
        }
        await assert.rejects(upload(stand.ctx, 'avatar', breaking(), { filename: 'a.png' }), withCode('upload_source_failed'))
        assert.deepEqual(await stand.keys(), [])
        assert.equal((await stand.one('select state from rindle.media_assets'))['state'], 'deleted')
      })

      it('says what is wrong with a source that cannot be read', async () => {
        const locked = new Blob([bytes]).stream()
        locked.getReader()
        for (const source of [join(folder, 'nothing.png'), folder, locked, 7 as never, null as never])
          await assert.rejects(upload(stand.ctx, 'avatar', source, { filename: 'a.png' }), withCode('upload_source_unreadable'))
        assert.equal(await count('media_assets'), 0)
      })

      it('ends with the reason of its signal', async () => {
        const stop = new AbortController()
        const slow = async function* () {
          yield plainPicture(100)
          stop.abort(new DOMException('enough', 'AbortError'))
          yield plainPicture(100)
        }
        await assert.rejects(upload(stand.ctx, 'avatar', slow(), { filename: 'a.png', signal: stop.signal }), { name: 'AbortError' })
        assert.deepEqual(await stand.keys(), [])
        assert.equal((await stand.one('select state from rindle.media_upload_sessions'))['state'], 'aborted')
      })

      it('is over when its process has been gone for a lease', async () => {
        const wait = Promise.withResolvers<void>()
        const begun = Promise.withResolvers<void>()
        const slow = async function* () {
          yield plainPicture(100)
          begun.resolve()
          await wait.promise
          yield plainPicture(100)
        }
        const running = upload(stand.ctx, 'avatar', slow(), { filename: 'a.png' })
        const refused = assert.rejects(running, withCode('upload_session_ended'))
        await begun.promise
        await stand.database.query(`update rindle.media_upload_sessions set due_at = '2026-01-01'`)
        await stand.pass(10)
        assert.equal((await stand.one('select state from rindle.media_upload_sessions'))['state'], 'expired')
        wait.resolve()
        await refused
        const { objects } = await stand.states(String((await stand.one('select id from rindle.media_assets'))['id']))
        assert.deepEqual(objects, ['staging doomed'])
        await stand.pass(3_700)
        assert.deepEqual(await stand.keys(), [])
      })
    })
  })
}
