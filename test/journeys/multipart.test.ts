import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, afterEach, before, describe, it } from 'node:test'
import { isRindleError } from '../../src/core/errors.ts'
import type { StorageAdapter } from '../../src/core/ports/storage.ts'
import { presignedPut } from '../../src/flows/unmanaged/presigned-put.ts'
import { cancelUpload } from '../../src/flows/uploads/cancel-upload.ts'
import { initiateMultipartUpload } from '../../src/flows/uploads/initiate-multipart-upload.ts'
import { upload } from '../../src/flows/uploads/upload.ts'
import { uploadSession } from '../../src/flows/uploads/upload-session.ts'
import { createMemoryBucket, type Landing, type LandingHook, type MemoryBucket } from '../../src/testing/memory-bucket.ts'
import { engines } from '../services/engines.ts'
import { partsClient, patchedPicture } from './fixtures/parts.ts'
import { openStand, type Stand, withCode } from './fixtures/uploads.ts'

const partBytes = 16
const bytes = patchedPicture(57)
const sha256 = createHash('sha256').update(bytes).digest('hex')
const owner = { type: 'User', id: 7 }

for (const engine of engines) {
  describe(`an upload in parts on ${engine.name}`, { skip: engine.skip }, () => {
    let stand: Stand
    let bucket: MemoryBucket
    let landing: LandingHook = () => 'now'
    let isBlind = false
    let beforeSigning = async (): Promise<void> => undefined
    const storage = (): StorageAdapter => bucket.adapter
    const client = partsClient(
      () => stand,
      storage,
      (request) => bucket.send(request),
      partBytes,
    )
    const { open, sign, send, sendAll, complete, awaited } = client

    before(async () => {
      bucket = createMemoryBucket({
        name: 'parts',
        clock: { now: () => stand.clock.now() },
        limits: { minPartBytes: partBytes },
        landing: (call) => landing(call),
      })
      stand = await openStand(engine, {
        storage: bucket.adapter,
        wrap: ({ multipart, ...adapter }) => ({
          ...adapter,
          head: async (...given) => (isBlind ? null : adapter.head(...given)),
          ...(multipart && {
            multipart: { ...multipart, signPart: (...given) => beforeSigning().then(() => multipart.signPart(...given)) },
          }),
        }),
      })
    })
    afterEach(async () => {
      isBlind = false
      beforeSigning = async () => undefined
      landing = () => 'now'
      while (bucket.late[0]) bucket.late[0].land()
      await stand.empty()
      for await (const { key, uploadId } of storage().multipart?.list('') ?? []) await storage().multipart?.abort(key, uploadId)
    })
    after(() => stand.close())

    /** Whatever the upload has written anywhere, to be compared. */
    const everything = async () => ({
      rows: await stand.database.query(
        `select to_jsonb(s) as row from rindle.media_upload_sessions s union all select to_jsonb(o) from rindle.media_objects o
         union all select to_jsonb(a) from rindle.media_assets a`,
      ),
      keys: await stand.keys(),
      awaited: await awaited(),
    })
    const staging = () => stand.one(`select * from rindle.media_objects where role = 'staging' and state = 'reserved'`)
    /** Sweeps and works until nothing of what ended is left anywhere. */
    const assertNothingLeft = async () => {
      for (let day = 0; day < 4; day += 1) await stand.pass(90_000)
      assert.deepEqual([await awaited(), await stand.keys()], [[], []])
      for (const table of ['media_upload_sessions', 'media_objects', 'media_assets'])
        assert.equal((await stand.one(`select count(*)::int as n from rindle.${table}`))['n'], 0, table)
    }
    const missing = (numbers: readonly number[]) => (err: unknown) => {
      assert.ok(isRindleError(err) && err.code === 'upload_parts_missing', String(err))
      assert.deepEqual(
        [err.details.missing, err.details.missingCount, err.details.partCount, err.retryable],
        [numbers, numbers.length, 4, true],
      )
      return true
    }

    it('takes its parts in any order and again, and makes one file of the last of each', async () => {
      const { session, multipart } = await open(bytes)
      assert.deepEqual(multipart, { partBytes: 16, partCount: 4 })
      assert.deepEqual([session.state, session.uploadStrategy, session.partBytes], ['initialized', 'multipart', 16])
      for (const partNumber of [4, 2, 1]) assert.equal((await send(session.id, bytes, partNumber)).status, 200)
      assert.equal((await send(session.id, bytes, 3, new Uint8Array(16))).status, 200)
      assert.equal((await send(session.id, bytes, 3)).status, 200)

      const { session: completed, asset } = await complete(session.id)
      assert.deepEqual([completed.state, asset.state, asset.byteSize], ['completed', 'validating', 57])
      await stand.work()
      const { asset: state, objects } = await stand.states(asset.id)
      assert.deepEqual([state, objects.filter((line) => line.startsWith('original'))], ['ready', ['original present']])
      const row = await stand.one(`select encode(received_sha256, 'hex') as sha256 from rindle.media_assets`)
      assert.equal(row['sha256'], sha256)
      assert.deepEqual(await awaited(), [])
      await stand.assertLedger()
    })

    it('throws nothing away when storage does not find at once what it has just put together', async () => {
      const { session } = await open(bytes)
      for (const partNumber of [1, 2, 3, 4]) await send(session.id, bytes, partNumber)
      isBlind = true
      const before = await everything()
      await assert.rejects(complete(session.id), (err: unknown) => isRindleError(err) && err.code === 'storage_failed' && err.retryable)
      const after = await everything()
      assert.deepEqual(after.rows, before.rows)
      isBlind = false
      assert.equal((await complete(session.id)).session.state, 'completed')
    })

    it('signs each part for exactly its bytes, and for no part that there is not', async () => {
      const { session } = await open(bytes)
      for (const [partNumber, lengths] of [
        [1, [15, 17, 0]],
        [4, [8, 10, 16]],
      ] as const)
        for (const length of lengths) assert.equal((await send(session.id, bytes, partNumber, new Uint8Array(length))).status, 403)
      for (const partNumber of [0, 5, -1, 1.5, Number.NaN]) await assert.rejects(sign(session.id, partNumber), withCode('argument_invalid'))
      await assert.rejects(complete(session.id), missing([1, 2, 3, 4]))
      assert.equal((await send(session.id, bytes, 4)).status, 200)
    })

    it('has the end of every ticket on record before the ticket exists, and none outlives the session', async () => {
      const { session } = await open(bytes, { expiresInSeconds: 1_000 })
      const watched = async () => Date.parse(String((await stand.one('select watch_until::text as t from rindle.media_objects'))['t']))
      assert.deepEqual(await stand.one('select watch_until from rindle.media_objects'), { watch_until: null })
      const onRecord: number[] = []
      beforeSigning = async () => void onRecord.push(await watched())
      const first = (await sign(session.id, 1)).presigned
      assert.equal(first.expiresAt.getTime(), stand.clock.now().getTime() + 900_000)
      assert.deepEqual(onRecord, [first.expiresAt.getTime() + 86_400_000])
      assert.equal(await watched(), first.expiresAt.getTime() + 86_400_000)
      stand.clock.advance(600)
      const second = (await sign(session.id, 2)).presigned
      assert.equal(second.expiresAt.getTime(), session.expiresAt.getTime())
      assert.equal(await watched(), session.expiresAt.getTime() + 86_400_000)
      stand.clock.advance(400)
      await assert.rejects(sign(session.id, 1), withCode('upload_session_expired'))
      assert.deepEqual(await stand.history(session.id), ['born', 'sign'])
    })

    it('says which parts are missing and changes nothing, whoever asks', async () => {
      const { session } = await open(bytes)
      await assert.rejects(complete(session.id), missing([1, 2, 3, 4]))
      await sendAll(session.id, bytes, [1, 3])
      const before = await everything()
      await assert.rejects(complete(session.id), missing([2, 4]))
      await assert.rejects(stand.verify(session.id), missing([2, 4]))
      assert.deepEqual(await everything(), before)
      await sendAll(session.id, bytes, [4, 2])
      assert.equal((await complete(session.id)).session.state, 'completed')
    })

    it('names at most a hundred of them, and counts all', async () => {
      const long = patchedPicture(150 * partBytes)
      const { session } = await open(long)
      await sendAll(session.id, long, [1])
      await assert.rejects(complete(session.id), (err: unknown) => {
        assert.ok(isRindleError(err) && err.code === 'upload_parts_missing')
        assert.deepEqual([err.details.missing.length, err.details.missing[0], err.details.missingCount], [100, 2, 149])
        return true
      })
    })

    it('goes by what storage lists, and refuses a part of another size', async () => {
      const { session } = await open(bytes)
      await sendAll(session.id, bytes, [1, 2, 4])
      const { key, upload_id: uploadId } = await staging()
      const at = stand.clock.now()
      const ticket = await storage().multipart?.signPart(String(key), {
        ...{ uploadId: String(uploadId), partNumber: 3, sizeBytes: 20, at, ttlSeconds: 60 },
      })
      assert.ok(ticket)
      assert.equal((await bucket.send({ method: 'PUT', url: ticket.url, headers: ticket.headers, body: new Uint8Array(20) })).status, 200)
      const before = await everything()
      await assert.rejects(complete(session.id), withCode('upload_parts_mismatch'))
      assert.deepEqual(await everything(), before)
      await sendAll(session.id, bytes, [3])
      assert.equal((await complete(session.id)).session.state, 'completed')
    })

    it('holds the list of a client, where there is one, against what storage has', async () => {
      const { session } = await open(bytes)
      const parts: { partNumber: number; etag: string }[] = []
      for (const partNumber of [2, 1, 4, 3]) {
        const { headers } = await send(session.id, bytes, partNumber)
        parts.push({ partNumber, etag: String(headers['etag']) })
      }
      const [first, ...rest] = parts
      assert.ok(first)
      const shapeless: readonly unknown[] = [
        ...[
          'parts',
          {},
          [null],
          [[]],
          [{}],
          [{ partNumber: '1', etag: 'a' }],
          [{ partNumber: 0, etag: 'a' }],
          [{ partNumber: 1, etag: '' }],
        ],
        ...[[{ partNumber: 1.5, etag: 'a' }], [...parts, first], [...rest, { partNumber: 5, etag: 'a' }]],
      ]
      const before = await everything()
      for (const given of shapeless) await assert.rejects(Reflect.apply(complete, null, [session.id, given]), withCode('argument_invalid'))
      await assert.rejects(complete(session.id, []), missing([1, 2, 3, 4]))
      await assert.rejects(complete(session.id, rest), missing([first.partNumber]))
      await assert.rejects(complete(session.id, [...rest, { ...first, etag: 'another' }]), withCode('upload_parts_mismatch'))
      assert.deepEqual(await everything(), before)
      const dressed = parts.map(({ partNumber, etag }, at) => ({
        partNumber,
        etag: at % 2 === 0 ? `"${etag.replaceAll('"', '')}"` : `W/"${etag.replaceAll('"', '')}"`,
      }))
      assert.equal((await complete(session.id, dressed)).session.state, 'completed')
      assert.equal((await complete(session.id, parts)).session.state, 'completed')
    })

    it('gives everyone who asks the same answer, at once or later, by either name', async () => {
      const { session } = await open(bytes)
      await sendAll(session.id, bytes)
      const answers = await Promise.all(
        Array.from({ length: 8 }, (_, at) => (at % 2 === 0 ? complete(session.id) : stand.verify(session.id))),
      )
      for (const answer of answers) assert.deepEqual(answer, answers[0])
      assert.deepEqual(await complete(session.id), answers[0])
      assert.deepEqual(await stand.verify(session.id), answers[0])
      assert.deepEqual(await stand.history(session.id), ['born', 'sign', 'verify', 'complete'])
      assert.equal((await stand.database.query('select id from rindle_queue.job')).length, 1)
    })

    it('is healed by the next call when an answer was lost, whether or not the parts were put together', async () => {
      for (const fate of ['unseen', 'never', 'late'] as const) {
        const { session } = await open(bytes)
        await sendAll(session.id, bytes)
        landing = ({ operation }) => (operation === 'complete' ? fate : 'now')
        await assert.rejects(complete(session.id), withCode('storage_failed'), fate)
        assert.equal((await uploadSession(stand.ctx, session.id))?.state, 'signed')
        landing = () => 'now'
        assert.equal((await stand.verify(session.id)).session.state, 'completed', fate)
        const keys = await stand.keys()
        bucket.late[0]?.land()
        assert.deepEqual(await stand.keys(), keys, fate)
      }
      await stand.work()
      await stand.assertLedger()
    })

    it('is asked again when a part was sent again while the parts were put together', async () => {
      const { session } = await open(bytes)
      await sendAll(session.id, bytes)
      landing = async ({ operation }): Promise<Landing> => {
        if (operation !== 'complete') return 'now'
        landing = () => 'now'
        await send(session.id, bytes, 2, new Uint8Array(16).fill(9))
        return 'now'
      }
      await assert.rejects(complete(session.id), (err: { retryable: boolean }) => withCode('object_parts_changed')(err) && err.retryable)
      assert.equal((await uploadSession(stand.ctx, session.id))?.state, 'signed')
      await sendAll(session.id, bytes, [2])
      await complete(session.id)
      await stand.work()
      const row = await stand.one(`select encode(received_sha256, 'hex') as sha256 from rindle.media_assets`)
      assert.equal(row['sha256'], sha256)
    })

    it('goes on with a fresh key when storage gave its parts up', async () => {
      const { session } = await open(bytes)
      await sendAll(session.id, bytes)
      const { key, upload_id: uploadId } = await staging()
      await storage().multipart?.abort(String(key), String(uploadId))
      await assert.rejects(complete(session.id), missing([1, 2, 3, 4]))
      await assert.rejects(complete(session.id), missing([1, 2, 3, 4]))
      await sendAll(session.id, bytes)
      const fresh = await staging()
      assert.notEqual(fresh['key'], key)
      assert.notEqual(fresh['upload_id'], uploadId)
      const { asset } = await complete(session.id)
      await stand.work()
      assert.equal((await stand.states(asset.id)).asset, 'ready')
      await stand.pass(200_000)
      assert.deepEqual((await stand.states(asset.id)).objects, ['original present', 'variant present', 'variant present'])
    })

    it('binds the announced checksum through the gate', async () => {
      const { session } = await open(bytes, { sha256: 'ab'.repeat(32) })
      await sendAll(session.id, bytes)
      const { asset } = await complete(session.id)
      await stand.work()
      const row = await stand.one('select state, error_code from rindle.media_assets where id = $1', asset.id)
      assert.deepEqual(row, { state: 'quarantined', error_code: 'upload_checksum_mismatch' })
    })

    it('leaves nothing behind when it is cancelled, not even what was on its way', async () => {
      const { session } = await open(bytes)
      await sendAll(session.id, bytes, [1])
      const old = await sign(session.id, 2)
      landing = ({ operation, partNumber }) => (operation === 'send' && partNumber === 3 ? 'late' : 'now')
      await assert.rejects(send(session.id, bytes, 3))
      assert.equal((await cancelUpload(stand.ctx, session.id)).state, 'aborted')
      const { presigned } = old
      assert.equal((await bucket.send({ ...presigned, body: new Uint8Array(16) })).status, 200)
      bucket.late[0]?.land()
      await assert.rejects(complete(session.id), withCode('upload_session_ended'))
      await assert.rejects(sign(session.id, 1), withCode('upload_session_ended'))
      assert.equal((await awaited()).length, 1)
      await assertNothingLeft()
    })

    it('leaves nothing behind when its time is up, signed or not, put together or not', async () => {
      await open(bytes)
      const half = await open(bytes)
      await sendAll(half.session.id, bytes, [1, 2])
      const whole = await open(bytes)
      await sendAll(whole.session.id, bytes)
      landing = ({ operation }) => (operation === 'complete' ? 'unseen' : 'now')
      await assert.rejects(complete(whole.session.id), withCode('storage_failed'))
      assert.deepEqual([(await awaited()).length, (await stand.keys()).length], [2, 1])
      stand.clock.advance(86_400)
      await assert.rejects(complete(half.session.id), withCode('upload_session_expired'))
      await stand.pass(10)
      for (const { session } of [half, whole]) assert.equal((await uploadSession(stand.ctx, session.id))?.state, 'expired')
      await assertNothingLeft()
    })

    it('is given up at once when storage cannot begin it, unless its key lets the caller come back', async () => {
      landing = ({ operation }) => (operation === 'create' ? 'never' : 'now')
      await assert.rejects(open(bytes), withCode('storage_failed'))
      assert.deepEqual(await stand.one('select state from rindle.media_upload_sessions'), { state: 'aborted' })
      await assert.rejects(open(bytes, { owner, idempotencyKey: 'k' }), withCode('storage_failed'))
      landing = () => 'now'
      const { session } = await open(bytes, { owner, idempotencyKey: 'k' })
      assert.equal((await stand.one(`select count(*)::int as n from rindle.media_upload_sessions where state = 'initialized'`))['n'], 1)
      await sendAll(session.id, bytes)
      await complete(session.id)
    })

    it('is begun in storage by the next signing when whoever opened it died before that was recorded', async () => {
      const { session } = await open(bytes)
      await stand.database.query('update rindle.media_objects set upload_id = null')
      await Promise.all([1, 2, 3, 4].map((partNumber) => send(session.id, bytes, partNumber)))
      await complete(session.id)
      assert.equal((await awaited()).length, 1, 'the one that was lost, which reconciliation finds')
    })

    it('leaves nothing in storage when it ends while it is begun there', async () => {
      const { session } = await open(bytes)
      const { key, upload_id: uploadId } = await staging()
      await storage().multipart?.abort(String(key), String(uploadId))
      await stand.database.query('update rindle.media_objects set upload_id = null')
      landing = async ({ operation }): Promise<Landing> => {
        if (operation === 'create') await cancelUpload(stand.ctx, session.id)
        return 'now'
      }
      await assert.rejects(sign(session.id, 1), withCode('upload_session_ended'))
      assert.deepEqual(await awaited(), [])
    })

    it('races its cancelling, and exactly one of the two wins', async () => {
      for (let round = 0; round < 12; round += 1) {
        const { session } = await open(bytes)
        await sendAll(session.id, bytes)
        const calls = [() => complete(session.id), () => cancelUpload(stand.ctx, session.id), () => sign(session.id, 1)]
        if (round % 2 === 1) calls.reverse()
        const outcomes = await Promise.allSettled(calls.map((call) => call()))
        const { state } = (await uploadSession(stand.ctx, session.id)) ?? {}
        const { asset, objects } = await stand.states(session.assetId)
        if (state === 'completed') assert.deepEqual([asset, objects], ['validating', ['staging present']])
        else assert.deepEqual([state, asset, objects], ['aborted', 'deleted', ['staging doomed']])
        for (const outcome of outcomes) if (outcome.status === 'rejected') withCode('upload_session_ended')(outcome.reason)
      }
    })

    it('is the first one again for the same key and the same cut', async () => {
      const wish = { owner, idempotencyKey: 'k' }
      const both = await Promise.all([open(bytes, wish), open(bytes, wish)])
      assert.equal(both[0].session.id, both[1].session.id)
      assert.equal((await awaited()).length, 1)
      await assert.rejects(open(bytes, { ...wish, partBytes: 32 }), withCode('idempotency_key_reused'))
      await assert.rejects(open(patchedPicture(58), wish), withCode('idempotency_key_reused'))
      await assert.rejects(stand.initiate({ byteSize: 57, ...wish }), withCode('idempotency_key_reused'))
      await sendAll(both[0].session.id, bytes)
      await complete(both[0].session.id)
      const again = await open(bytes, wish)
      assert.deepEqual([again.session.id, again.session.state, again.multipart], [both[0].session.id, 'completed', both[0].multipart])
    })

    it('is told from other uploads, and says which call is meant', async () => {
      const parts = await open(bytes)
      const plain = await stand.initiate()
      const words = (pattern: RegExp) => (err: unknown) =>
        withCode('upload_unsupported')(err) && isRindleError(err) && pattern.test(err.message)
      await assert.rejects(stand.sign(parts.session.id), words(/signMultipartPart/))
      await assert.rejects(sign(plain.id, 1), words(/signUpload/))
      await assert.rejects(complete(plain.id), words(/verifyCompletion/))
      for (const call of [sign('nonsense', 1), complete('nonsense')]) await assert.rejects(call, withCode('upload_session_not_found'))
    })

    it('is refused before a row where it cannot be', async () => {
      const wishes: readonly [object, string][] = [
        [{ byteSize: undefined }, 'upload_byte_size_required'],
        [{ byteSize: 100_001 }, 'upload_too_large'],
        [{ partBytes: 15 }, 'argument_invalid'],
        [{ partBytes: 16.5 }, 'argument_invalid'],
        [{ expiresInSeconds: 5 }, 'argument_invalid'],
        [{ filename: 'me.gif' }, 'upload_extension_not_allowed'],
      ]
      for (const [wish, code] of wishes) await assert.rejects(open(bytes, wish), withCode(code), JSON.stringify(wish))
      await assert.rejects(initiateMultipartUpload(stand.ctx, 'avatr', { filename: 'a.png', byteSize: 1 }), withCode('profile_unknown'))
      assert.deepEqual(await everything(), { rows: [], keys: [], awaited: [] })
    })
  })
}

const [engine] = engines

describe('a storage that takes no parts, or not so much at once', { skip: engine ? engine.skip : 'no engine was asked for' }, () => {
  it('refuses parts where they cannot be, and leaves no row', async () => {
    assert.ok(engine)
    const stand = await openStand(engine)
    try {
      await assert.rejects(
        initiateMultipartUpload(stand.ctx, 'avatar', { filename: 'me.png', byteSize: 64 }),
        (err: unknown) => withCode('upload_unsupported')(err) && isRindleError(err) && /multipart_upload/.test(err.message),
      )
      assert.equal((await stand.one('select count(*)::int as n from rindle.media_upload_sessions'))['n'], 0)
    } finally {
      await stand.close()
    }
  })

  it('names the call for what is too large for one PUT', async () => {
    assert.ok(engine)
    const limits = { minPartBytes: 16 }
    const stand: Stand = await openStand(engine, {
      storage: { ...createMemoryBucket({ clock: { now: () => stand.clock.now() }, limits }).adapter, maxPutBytes: 50 },
    })
    const tooLarge = (err: unknown) =>
      withCode('upload_put_too_large')(err) && isRindleError(err) && /initiateMultipartUpload/.test(err.message)
    try {
      await assert.rejects(stand.initiate({ byteSize: 51 }), tooLarge)
      await assert.rejects(presignedPut(stand.ctx, 'avatar', 'unmanaged/a.png', 60, { byteSize: 51 }), tooLarge)
      assert.equal((await stand.one('select count(*)::int as n from rindle.media_objects'))['n'], 0)
      await stand.initiate({ byteSize: 50 })
      await upload(stand.ctx, 'avatar', bytes, { filename: 'me.png' })
      await initiateMultipartUpload(stand.ctx, 'avatar', { filename: 'me.png', byteSize: 51, partBytes: 16 })
    } finally {
      await stand.close()
    }
  })
})
