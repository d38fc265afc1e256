import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { sql } from 'kysely'
import { isRindleError } from '../../src/core/errors.ts'
import type { Queryable } from '../../src/database/database.ts'
import { afterCommit } from '../../src/database/transaction.ts'
import { everyCarrier } from './database-carriers.ts'

const noon = new Date('2026-01-01T12:00:00.123Z')
const id = '019a0000-0000-7000-8000-000000000002'

const every = everyCarrier()
before(() => every.open())
after(() => every.close())

/** A row with something in every column of every type, then read back by column and as JSON. */
const write = (on: Queryable) =>
  sql`insert into rindle.media_assets (id, profile, state, due_at, filename, content_type, byte_size, width, has_video_track, metadata, received_sha256, inserted_at, state_changed_at)
      values (${id}::uuid, ${'p'}::text, 'validating', ${noon}::timestamptz, ${'a\'"?$1.png'}::text, ${'image/png'}::text, ${5_000_000_000}::bigint, ${640}::integer, ${false}::boolean,
              ${JSON.stringify({ a: ['?', null, 1.5] })}::text::jsonb, ${new Uint8Array([0, 1, 254, 255])}::bytea, ${noon}::timestamptz, ${noon}::timestamptz)`.execute(
    on,
  )

const wholeRow = {
  id,
  profile: 'p',
  state: 'validating',
  previous_state: null,
  alive: true,
  revision: 0,
  fence: 0,
  due_at: noon,
  owner_type: null,
  owner_id: null,
  kind: null,
  filename: 'a\'"?$1.png',
  content_type: 'image/png',
  byte_size: 5_000_000_000,
  width: 640,
  height: null,
  duration_ms: null,
  has_video_track: false,
  has_audio_track: null,
  rotation: null,
  frames_per_second: null,
  video_codec: null,
  audio_codec: null,
  placeholder: null,
  dominant_color: null,
  metadata: { a: ['?', null, 1.5] },
  received_sha256: new Uint8Array([0, 1, 254, 255]),
  object_id: null,
  error_code: null,
  error_detail: null,
  pardon: null,
  passed_at: null,
  inserted_at: noon,
  state_changed_at: noon,
}

for (const { name, db } of every.carriers) {
  describe(`rows through ${name}`, () => {
    before(() => sql`delete from rindle.media_assets where id = ${id}::uuid`.execute(db().pool))

    it('are the same as through every other way, types and all', async () => {
      assert.equal(Number((await write(db().pool)).numAffectedRows), 1)
      const row = await db().pool.selectFrom('rindle.media_assets').selectAll().where('id', '=', id).executeTakeFirst()
      assert.deepEqual(row, wholeRow)
      const aliased = await db()
        .pool.selectFrom('rindle.media_assets as a')
        .select(['a.byte_size as byteSize', 'a.due_at as dueAt', 'a.received_sha256 as receivedSha256', 'a.metadata as anything'])
        .where('id', '=', id)
        .executeTakeFirst()
      assert.deepEqual(aliased, {
        byteSize: 5_000_000_000,
        dueAt: noon,
        receivedSha256: new Uint8Array([0, 1, 254, 255]),
        anything: wholeRow.metadata,
      })
    })

    it('are found by lists, counted, and known by their transaction', async () => {
      const { rows } = await sql<Record<string, unknown>>`
        select array_agg(a.filename) as variant_names, count(*) as count, count(*)::integer as n, (pg_current_xact_id()::text ~ '^[0-9]+$') as is_text
          from rindle.media_assets a where a.id = any(${[id]}::uuid[]) and a.state = any(${['validating', 'x,y', 'z"']}::text[])`.execute(
        db().pool,
      )
      assert.deepEqual(rows, [{ variant_names: ['a\'"?$1.png'], count: 1, n: 1, is_text: true }])
    })

    it('carry the SQLSTATE and the constraint of what was refused', async () => {
      await assert.rejects(write(db().pool), { name: 'SqlError', code: '23505', constraint: 'media_assets_pkey' })
    })

    it('are kept by a transaction that ends well, and by no other', async () => {
      const touch = (on: Queryable) => sql`update rindle.media_assets set revision = revision + 1 where id = ${id}::uuid`.execute(on)
      const revision = async () =>
        (await db().pool.selectFrom('rindle.media_assets').select('revision').where('id', '=', id).executeTakeFirst())?.revision
      const committed: string[] = []
      await db().transaction(async (tx) => {
        await touch(tx)
        afterCommit(() => committed.push('yes'))
      })
      const thrown = db().transaction(async (tx) => {
        await touch(tx)
        afterCommit(() => committed.push('no'))
        throw new TypeError('no')
      })
      await assert.rejects(thrown, TypeError)
      const swallowed = db().transaction(async (tx) => {
        await touch(tx)
        await sql`select 1 / ${0}::integer`.execute(tx).catch(() => {})
      })
      await assert.rejects(swallowed)
      assert.deepEqual([await revision(), committed], [1, ['yes']])
    })

    it('are not touched beside the transaction that is waited in', async () => {
      const beside = db().transaction(async () => {
        await sql`select 1`.execute(db().pool)
      })
      await assert.rejects(beside, (err) => isRindleError(err) && err.code === 'transaction_not_passed')
      const kyselys = db()
        .pool.transaction()
        .execute(async () => {})
      await assert.rejects(kyselys, (err) => isRindleError(err) && err.code === 'argument_invalid')
    })

    it('are written by scripts of several statements, all or none', async () => {
      await db().script(`create table if not exists public.scripted (n integer); insert into public.scripted values (1); select 'a;b';`)
      await assert.rejects(db().script('insert into public.scripted values (2); insert into public.scripted values (1 / 0);'))
      const { rows } = await sql`select distinct n from public.scripted`.execute(db().pool)
      assert.deepEqual(rows, [{ n: 1 }])
    })

    it('tell the time', async () => {
      assert.ok((await db().clock.read()) instanceof Date)
    })
  })
}
