import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createHash } from 'node:crypto'
import { after, afterEach, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { getRequestListener } from '@hono/node-server'
import { s3, type S3Options } from '../../src/adapters/storage/s3.ts'
import { isRindleError } from '../../src/core/errors.ts'
import type { StorageAdapter } from '../../src/core/ports/storage.ts'
import { createHandler } from '../../src/doors/http/index.ts'
import { cancelUpload } from '../../src/flows/uploads/cancel-upload.ts'
import { uploadSession } from '../../src/flows/uploads/upload-session.ts'
import { sendByFetch } from '../../src/testing/client-request.ts'
import { engines } from '../services/engines.ts'
import { openBucket, skipWithoutGateway, type TestBucket } from '../services/bucket.ts'
import { partsClient, patchedPicture } from './fixtures/parts.ts'
import { openStand, type Stand, withCode } from './fixtures/uploads.ts'

const mebibyte = 1024 * 1024
const partBytes = 5 * mebibyte
const bytes = patchedPicture(2 * partBytes + mebibyte + 3)
const sha256 = createHash('sha256').update(bytes).digest('hex')

const engine = engines.find(({ concurrent, skip }) => concurrent && skip === false) ?? engines[0]

describe(
  'an upload in parts straight to a real server',
  { skip: engine ? engine.skip || skipWithoutGateway : 'no engine was asked for' },
  () => {
    let bucket: TestBucket
    let options: S3Options
    let adapter: StorageAdapter
    let stand: Stand
    let folder: string
    /** True: what the server did when it put parts together is never heard of. */
    let isDeaf = false
    const client = partsClient(
      () => stand,
      () => adapter,
      sendByFetch,
      partBytes,
    )
    const { open, sign, send, sendAll, complete, awaited } = client

    before(async () => {
      assert.ok(engine)
      bucket = await openBucket()
      const { endpoint, region, credentials } = bucket
      options = { bucket: bucket.bucket, endpoint, region, credentials, prefix: 'journeys' }
      adapter = s3(options)
      stand = await openStand(engine, { storage: adapter, wrap: deafened, maxBytes: 100_000_000 })
      stand.clock.advance((Date.now() - stand.clock.now().getTime()) / 1000)
      folder = mkdtempSync(join(tmpdir(), 'rindle-parts-'))
    })
    afterEach(async () => {
      isDeaf = false
      await stand.empty()
      for await (const { key, uploadId } of adapter.multipart?.list('') ?? []) await adapter.multipart?.abort(key, uploadId)
    })
    after(async () => {
      await stand.close()
      await bucket.close()
      rmSync(folder, { recursive: true, force: true })
    })

    const deafened = (whole: StorageAdapter): StorageAdapter => {
      const { multipart } = whole
      assert.ok(multipart)
      return {
        ...whole,
        multipart: {
          ...multipart,
          async complete(...given) {
            const done = await multipart.complete(...given)
            assert.ok(!isDeaf, 'the answer was lost')
            return done
          },
        },
      }
    }
    const assertReady = async (assetId: string) => {
      await stand.work()
      const row = await stand.one(`select state, encode(received_sha256, 'hex') as sha256 from rindle.media_assets where id = $1`, assetId)
      assert.deepEqual(row, { state: 'ready', sha256 })
      assert.deepEqual(await awaited(), [])
      await stand.assertLedger()
    }
    const missing = (numbers: readonly number[]) => (err: unknown) => {
      assert.ok(isRindleError(err) && err.code === 'upload_parts_missing', String(err))
      assert.deepEqual(err.details.missing, numbers)
      return true
    }

    it('takes parts out of order and again, refuses other lengths, says what is missing, and completes for everyone who asks', async () => {
      const { session, multipart } = await open(bytes)
      assert.deepEqual(multipart, { partBytes, partCount: 3 })
      await assert.rejects(complete(session.id), missing([1, 2, 3]))
      await sendAll(session.id, bytes, [3])
      assert.equal((await send(session.id, bytes, 1, new Uint8Array(partBytes))).status, 200)
      for (const length of [partBytes - 1, partBytes + 1])
        assert.equal((await send(session.id, bytes, 2, new Uint8Array(length))).status, 403)
      await assert.rejects(complete(session.id), missing([2]))
      const first = await send(session.id, bytes, 1)
      await sendAll(session.id, bytes, [2])
      const etag = String(first.headers['etag'])
      await assert.rejects(complete(session.id, [{ partNumber: 1, etag }]), missing([2, 3]))

      const answers = await Promise.all([complete(session.id), stand.verify(session.id), complete(session.id), complete(session.id)])
      for (const answer of answers) assert.deepEqual(answer, answers[0])
      assert.deepEqual(await complete(session.id), answers[0])
      await assertReady(session.assetId)
    })

    it('is healed by the next call when the answer was lost, also by verifying', async () => {
      for (const again of [complete, stand.verify]) {
        const { session } = await open(bytes)
        await sendAll(session.id, bytes)
        isDeaf = true
        await assert.rejects(complete(session.id), withCode('storage_failed'))
        assert.equal((await uploadSession(stand.ctx, session.id))?.state, 'signed')
        isDeaf = false
        assert.equal((await again(session.id)).session.state, 'completed')
        await assertReady(session.assetId)
      }
    })

    it('goes on with a fresh key when the server gave the parts up', async () => {
      const { session } = await open(bytes)
      await sendAll(session.id, bytes, [1])
      const row = await stand.one('select key, upload_id from rindle.media_objects')
      await adapter.multipart?.abort(String(row['key']), String(row['upload_id']))
      assert.equal((await send(session.id, bytes, 2)).status, 404)
      await assert.rejects(complete(session.id), missing([1, 2, 3]))
      await sendAll(session.id, bytes)
      await complete(session.id)
      await assertReady(session.assetId)
    })

    it('leaves nothing on the server when it is cancelled or expires', async () => {
      const cancelled = await open(bytes)
      await sendAll(cancelled.session.id, bytes, [1])
      const old = await sign(cancelled.session.id, 3)
      await cancelUpload(stand.ctx, cancelled.session.id)
      assert.equal((await sendByFetch({ ...old.presigned, body: bytes.subarray(2 * partBytes) })).status, 200)
      const expired = await open(bytes, { expiresInSeconds: 60 })
      await sendAll(expired.session.id, bytes, [2])
      assert.equal((await awaited()).length, 2)
      for (let day = 0; day < 4; day += 1) await stand.pass(90_000)
      assert.deepEqual([await awaited(), await stand.keys()], [[], []])
      assert.equal((await stand.one('select count(*)::int as n from rindle.media_objects'))['n'], 0)
      stand.clock.advance((Date.now() - stand.clock.now().getTime()) / 1000)
    })

    it(
      'goes on in another process, which knows its session and its file',
      { skip: engine?.concurrent ? false : 'one process at a time' },
      async () => {
        const { session } = await open(bytes)
        await sendAll(session.id, bytes, [2])
        const file = join(folder, 'whole')
        writeFileSync(file, bytes)
        const given = { database: stand.database.place, bucket: options, sessionId: session.id, file }
        const script = fileURLToPath(new URL('fixtures/resume-parts.ts', import.meta.url))
        const { stdout } = await promisify(execFile)(process.execPath, ['--conditions=rindle-source', script, JSON.stringify(given)])
        assert.deepEqual(JSON.parse(stdout), { sent: [1, 3], state: 'validating' })
        assert.equal((await complete(session.id)).session.state, 'completed')
        await assertReady(session.assetId)
      },
    )

    it('works for a client that knows the http door alone', async () => {
      const server = createServer(getRequestListener(createHandler(stand.rindle, { identify: () => null, authorize: () => true })))
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      const address = server.address()
      assert.ok(address && typeof address === 'object')
      const post = async (path: string, body: object) => {
        const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
        const response = await fetch(`http://127.0.0.1:${address.port}/media${path}`, init)
        return { status: response.status, body: JSON.parse(await response.text()) }
      }
      try {
        const wish = { profile: 'avatar', filename: 'me.png', byteSize: bytes.byteLength, multipart: true, partBytes }
        const created = await post('/uploads', wish)
        assert.deepEqual([created.status, created.body.multipart], [201, { partBytes, partCount: 3 }])
        const { id, assetId } = created.body.session
        assert.deepEqual([created.body.session.partBytes, created.body.session.uploadStrategy], [partBytes, 'multipart'])
        const parts: object[] = []
        for (const partNumber of [2, 3, 1]) {
          const early = await post(`/uploads/${id}/complete`, {})
          assert.deepEqual([early.status, early.body.error.code, early.body.error.retryable], [422, 'upload_parts_missing', true])
          const { body } = await post(`/uploads/${id}/parts/${partNumber}/sign`, {})
          const { url, method, headers } = body.presigned
          const sent = await fetch(url, { method, headers, body: bytes.slice((partNumber - 1) * partBytes, partNumber * partBytes) })
          assert.equal(sent.status, 200)
          parts.push({ partNumber, etag: sent.headers.get('etag') })
        }
        for (const n of ['0', '4', 'x', '1.5', '%31x']) {
          const refused = await post(`/uploads/${id}/parts/${n}/sign`, {})
          assert.deepEqual([refused.status, refused.body.error.code], [422, 'argument_invalid'], n)
        }
        const plain = await post(`/uploads/${id}/sign`, {})
        assert.deepEqual([plain.status, plain.body.error.code], [422, 'upload_unsupported'])
        assert.match(plain.body.error.message, /signMultipartPart/)
        assert.equal((await post(`/uploads/${id}/complete`, { parts: 'all' })).body.error.code, 'argument_invalid')
        assert.equal((await post(`/uploads/${id}/complete`, { part: [] })).body.error.code, 'body_invalid')
        const completed = await post(`/uploads/${id}/complete`, { parts })
        assert.deepEqual([completed.status, completed.body.session.state, completed.body.asset.state], [200, 'completed', 'validating'])
        assert.deepEqual(await post(`/uploads/${id}/complete`, {}), completed)
        assert.deepEqual(await post(`/uploads/${id}/verify`, {}), completed)
        await assertReady(assetId)
      } finally {
        server.closeAllConnections()
        await new Promise((resolve) => server.close(resolve))
      }
    })
  },
)
