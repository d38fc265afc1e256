import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, afterEach, before, describe, it } from 'node:test'
import { sql } from 'kysely'
import { openTicket } from '../../src/core/ticket.ts'
import { endSession } from '../../src/flows/steps/end-session.ts'
import { cancelUpload } from '../../src/flows/uploads/cancel-upload.ts'
import { uploadSession } from '../../src/flows/uploads/upload-session.ts'
import { engines } from '../services/engines.ts'
import { plainPicture } from './fixtures/plain-jail.ts'
import { openStand, type Stand, withCode } from './fixtures/uploads.ts'

for (const engine of engines) {
  describe(`verify a completed upload on ${engine.name}`, { skip: engine.skip }, () => {
    let stand: Stand
    before(async () => {
      stand = await openStand(engine)
    })
    afterEach(() => stand.empty())
    after(() => stand.close())

    const landed = async (bytes = plainPicture()) => {
      const session = await stand.initiate({ byteSize: bytes.byteLength })
      await stand.put(await stand.sign(session.id), bytes)
      return session
    }
    /** Bytes put where the ticket leads, past the door that would have refused them. */
    const smuggle = async (sessionId: string, bytes: Uint8Array<ArrayBuffer>, contentType = 'image/png') => {
      const { presigned } = await stand.sign(sessionId)
      const ticket = openTicket(stand.ctx.keys, 'put', presigned.url.slice(presigned.url.lastIndexOf('/') + 1), stand.clock.now())
      await stand.ctx.stores.at(ticket.store).put(ticket.key, new Blob([bytes]).stream(), { contentType })
    }
    const jobs = async () => (await stand.database.query(`select data from rindle_queue.job`)).length

    it('completes the session and hands the asset to the worker, together', async () => {
      const session = await landed()
      const { asset } = await stand.verify(session.id)
      const row = await stand.one('select * from rindle.media_upload_sessions')
      assert.deepEqual([row['state'], row['object_id']], ['completed', null])
      assert.deepEqual((await stand.states(asset.id)).objects, ['staging present'])
      assert.equal(await jobs(), 1)
      const pinned = await stand.one('select byte_size::int as size, etag from rindle.media_objects')
      assert.equal(pinned['size'], 64)
      assert.ok(pinned['etag'])
    })

    it('gives everyone who asks the same answer, at once or later', async () => {
      const session = await landed()
      const answers = await Promise.all(Array.from({ length: 8 }, () => stand.verify(session.id)))
      for (const answer of answers) assert.deepEqual(answer, answers[0])
      assert.deepEqual(await stand.verify(session.id), answers[0])
      assert.equal(await jobs(), 1)
      assert.deepEqual(await stand.history(session.id), ['born', 'sign', 'verify', 'complete'])
    })

    it('changes nothing while nothing has landed, signed or not', async () => {
      const session = await stand.initiate()
      await assert.rejects(stand.verify(session.id), withCode('upload_object_missing'))
      await stand.sign(session.id)
      const before = await stand.one('select to_jsonb(s) as row from rindle.media_upload_sessions s')
      await assert.rejects(
        stand.verify(session.id),
        (err: { retryable: boolean }) => withCode('upload_object_missing')(err) && err.retryable,
      )
      assert.deepEqual(await stand.one('select to_jsonb(s) as row from rindle.media_upload_sessions s'), before)
      assert.equal(await jobs(), 0)
    })

    it('throws away what has another length or type, and takes the right file at a fresh key', async () => {
      const cases = [
        [plainPicture(63), 'image/png', 'upload_size_mismatch'],
        [plainPicture(65), 'image/png', 'upload_size_mismatch'],
        [plainPicture(64), 'image/jpeg', 'upload_type_mismatch'],
      ] as const
      const session = await stand.initiate()
      for (const [bytes, type, code] of cases) {
        await smuggle(session.id, bytes, type)
        await assert.rejects(stand.verify(session.id), withCode(code))
        assert.equal((await uploadSession(stand.ctx, session.id))?.state, 'signed')
        await assert.rejects(stand.verify(session.id), withCode('upload_object_missing'))
      }
      await stand.put(await stand.sign(session.id), plainPicture())
      const { asset } = await stand.verify(session.id)
      assert.deepEqual((await stand.states(asset.id)).objects, ['staging doomed', 'staging doomed', 'staging doomed', 'staging present'])
      await stand.work()
      assert.equal((await stand.states(asset.id)).asset, 'ready')
      assert.equal((await stand.keys()).filter((key) => key.startsWith('staging/')).length, 0)
      await stand.pass(90_000)
      assert.deepEqual((await stand.states(asset.id)).objects, ['original present', 'variant present', 'variant present'])
    })

    it('says of a session whose time is up that it has expired, before and after the sweep', async () => {
      const session = await landed()
      stand.clock.advance(86_400)
      await assert.rejects(stand.verify(session.id), withCode('upload_session_expired'))
      await stand.pass(10)
      assert.equal((await uploadSession(stand.ctx, session.id))?.state, 'expired')
      await assert.rejects(stand.verify(session.id), withCode('upload_session_expired'))
    })

    it('is forgotten a day after it expired, its bytes an hour after', async () => {
      const session = await landed()
      await stand.pass(10)
      stand.clock.advance(86_400)
      await stand.pass(10)
      assert.equal((await stand.keys()).length, 1)
      await stand.pass(3_700)
      assert.equal((await stand.keys()).length, 0)
      for (let day = 0; day < 3; day++) await stand.pass(90_000)
      assert.equal(await uploadSession(stand.ctx, session.id), null)
      for (const table of ['media_assets', 'media_objects'])
        assert.equal((await stand.one(`select count(*)::int as n from rindle.${table}`))['n'], 0, table)
    })
  })

  describe(`cancel an upload on ${engine.name}`, { skip: engine.skip }, () => {
    let stand: Stand
    before(async () => {
      stand = await openStand(engine)
    })
    afterEach(() => stand.empty())
    after(() => stand.close())

    it('ends the session, and its tickets lead nowhere', async () => {
      const session = await stand.initiate()
      const signed = await stand.sign(session.id)
      assert.equal((await cancelUpload(stand.ctx, session.id)).state, 'aborted')
      assert.equal((await cancelUpload(stand.ctx, session.id)).state, 'aborted')
      await assert.rejects(stand.put(signed, plainPicture()), withCode('upload_session_ended'))
      await assert.rejects(stand.verify(session.id), withCode('upload_session_ended'))
      await assert.rejects(stand.sign(session.id), withCode('upload_session_ended'))
      assert.equal((await stand.states(session.assetId)).asset, 'deleted')
      await assert.rejects(cancelUpload(stand.ctx, 'nonsense'), withCode('upload_session_not_found'))
    })

    it('is refused once it was verified', async () => {
      const { sessionId } = await stand.land()
      await assert.rejects(cancelUpload(stand.ctx, sessionId), withCode('upload_session_ended'))
    })

    it('races verification, and exactly one of the two wins', async () => {
      let verified = 0
      for (let round = 0; round < 12; round++) {
        const session = await stand.initiate()
        await stand.put(await stand.sign(session.id), plainPicture())
        const calls = [() => stand.verify(session.id), () => cancelUpload(stand.ctx, session.id), () => stand.verify(session.id)]
        if (round % 2 === 1) calls.reverse()
        if (round % 3 === 0) calls.unshift(...calls.splice(1, 1))
        const [...outcomes] = await Promise.allSettled(calls.map((call) => call()))
        const { state } = (await uploadSession(stand.ctx, session.id)) ?? {}
        const { asset, objects } = await stand.states(session.assetId)
        if (state === 'completed') {
          verified += 1
          assert.deepEqual([asset, objects], ['validating', ['staging present']])
          assert.equal(outcomes.filter(({ status }) => status === 'rejected').length, 1)
        } else {
          assert.deepEqual([state, asset, objects], ['aborted', 'deleted', ['staging doomed']])
          assert.equal(outcomes.filter(({ status }) => status === 'rejected').length, 2)
        }
        for (const outcome of outcomes) if (outcome.status === 'rejected') assert.equal(outcome.reason.code, 'upload_session_ended')
      }
      assert.ok(verified <= 12)
    })

    it('does not end one that is not due when a sweep comes that had looked before its lease was renewed', async () => {
      const session = await stand.initiate()
      await assert.rejects(
        stand.ctx.db.transaction((tx) => endSession(stand.ctx, tx, session.id, 'expire')),
        withCode('statement_missed'),
      )
      assert.equal((await uploadSession(stand.ctx, session.id))?.state, 'initialized')
      assert.equal((await stand.states(session.assetId)).asset, 'staged')
    })

    if (engine.concurrent) {
      it('waits for a verification that has come before, and says what came of it', async () => {
        const session = await stand.initiate()
        await stand.put(await stand.sign(session.id), plainPicture())
        const calls: Promise<unknown>[] = []
        const { promise: isLocked, resolve: locked } = Promise.withResolvers<void>()
        const { promise: mayGoOn, resolve: goOn } = Promise.withResolvers<void>()
        const holding = stand.ctx.db.transaction(async (tx) => {
          await sql`select 1 from rindle.media_assets where id = ${session.assetId}::uuid for update`.execute(tx)
          locked()
          await mayGoOn
        })
        await isLocked
        calls.push(stand.verify(session.id))
        await waiting(stand, 1)
        calls.push(cancelUpload(stand.ctx, session.id))
        await waiting(stand, 2)
        goOn()
        await holding
        const [verified, cancelled] = await Promise.allSettled(calls)
        assert.equal(verified?.status, 'fulfilled')
        assert.equal(cancelled?.status === 'rejected' && cancelled.reason.code, 'upload_session_ended')
      })
    }
  })

  describe(`a hosted ticket on ${engine.name}`, { skip: engine.skip }, () => {
    let stand: Stand
    before(async () => {
      stand = await openStand(engine)
    })
    afterEach(() => stand.empty())
    after(() => stand.close())

    it('takes nothing but what it was made for, and refusing changes nothing', async () => {
      const session = await stand.initiate({ sha256: createHash('sha256').update(plainPicture()).digest('hex') })
      const signed = await stand.sign(session.id)
      const right = plainPicture()
      const cases = [
        ['another type', right, { contentType: 'image/jpeg' }, 'ticket_mismatch'],
        ['no type', right, { contentType: null }, 'ticket_mismatch'],
        ['another length', right, { contentLength: 65 }, 'ticket_mismatch'],
        ['more bytes than announced', plainPicture(65), { contentLength: null }, 'object_size_mismatch'],
        ['fewer bytes than announced', plainPicture(63), { contentLength: null }, 'object_size_mismatch'],
        ['no body', right, { contentLength: null, body: null }, 'object_size_mismatch'],
        ['another checksum', plainPicture(64, 8), {}, 'object_checksum_mismatch'],
      ] as const
      const before = await stand.one('select to_jsonb(o) as row from rindle.media_objects o')
      for (const [name, bytes, more, code] of cases) {
        await assert.rejects(stand.put(signed, bytes, more), withCode(code), name)
        assert.deepEqual(await stand.keys(), [], name)
      }
      assert.deepEqual(await stand.one('select to_jsonb(o) as row from rindle.media_objects o'), before)
      await stand.put(signed, right)
      await assert.rejects(stand.put(signed, right), withCode('object_exists'))
      await stand.verify(session.id)
      await assert.rejects(stand.put(signed, right), withCode('object_exists'))
    })

    it('is no use for an object that was thrown away', async () => {
      const session = await stand.initiate()
      const signed = await stand.sign(session.id)
      const { store, key } = await stand.one('select store, key from rindle.media_objects')
      await stand.ctx.stores.at(String(store)).put(String(key), new Blob([plainPicture(9)]).stream(), { contentType: 'image/png' })
      await assert.rejects(stand.verify(session.id), withCode('upload_size_mismatch'))
      await assert.rejects(stand.put(signed, plainPicture()), withCode('ticket_invalid'))
    })

    it('cuts off a body that goes on beyond its end', async () => {
      const session = await stand.initiate({ expiresInSeconds: 60 })
      const signed = await stand.sign(session.id)
      let stopped = false
      const slow = new ReadableStream<Uint8Array>({
        pull(controller) {
          if (stopped) return new Promise(() => undefined)
          stopped = true
          controller.enqueue(plainPicture(32))
          return undefined
        },
      })
      const refused = assert.rejects(stand.put(signed, plainPicture(), { body: slow }), withCode('ticket_expired'))
      while (!stopped) await new Promise((resolve) => setTimeout(resolve, 5))
      stand.clock.advance(61)
      await refused
      assert.deepEqual(await stand.keys(), [])
    })
  })
}

/** Resolves when so many sessions of the database wait for another's lock. */
async function waiting(stand: Stand, many: number): Promise<void> {
  for (let attempt = 0; attempt < 1_000; attempt++) {
    const [row] = await stand.database.query(
      `select count(distinct l.pid)::int as many from pg_locks l join pg_stat_activity a on a.pid = l.pid
        where not l.granted and a.datname = current_database()`,
    )
    if (Number(row?.['many']) >= many) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  assert.fail(`${many} have not come to wait`)
}
