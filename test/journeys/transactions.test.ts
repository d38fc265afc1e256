import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { PGlite, Transaction as PgliteTransaction } from '@electric-sql/pglite'
import { drizzle as drizzleOnPg } from 'drizzle-orm/node-postgres'
import { integer, pgTable, text } from 'drizzle-orm/pg-core'
import { drizzle as drizzleOnPglite } from 'drizzle-orm/pglite'
import knexFor from 'knex'
import { CamelCasePlugin, Kysely, PGliteDialect, PostgresDialect, sql } from 'kysely'
import pg from 'pg'
import { v7 } from 'uuid'
import { createQueue } from '../../src/adapters/queue/pg-boss.ts'
import { assetMachine } from '../../src/core/asset.ts'
import { isRindleError, type ErrorCode } from '../../src/core/errors.ts'
import type { Queue } from '../../src/core/ports/queue.ts'
import type { Database, Queryable } from '../../src/database/database.ts'
import { born } from '../../src/database/move.ts'
import { moves } from '../../src/database/statement.ts'
import { openDatabase } from '../../src/database/open.ts'
import { insideTransaction } from '../../src/database/transaction.ts'
import { lockName } from '../../src/database/queries/lock-name.ts'
import { attach } from '../../src/flows/assets/attach.ts'
import { type EngineDatabase, engines } from '../services/engines.ts'
import { openPrisma } from './transactions-prisma.ts'

const noon = new Date('2026-01-01T12:00:00.123Z')
const clock = { now: () => noon, monotonicMs: () => performance.now(), sleep: async () => {}, setTo: () => {} }
const peopleTable = 'create table public.people (id integer primary key, name text not null)'
const people = pgTable('people', { id: integer('id').primaryKey(), name: text('name').notNull() })
type PeopleSchema = { people: { id: number; name: string } }

/** A library of the app's own: how it opens a transaction, and how it writes a row of its own in it. */
type Adopter = {
  readonly name: string
  run<T>(body: (tx: unknown, write: (id: number) => Promise<unknown>) => Promise<T>, isolation?: 'repeatable read'): Promise<T>
}

const rejectsWith = (code: ErrorCode) => (err: unknown) => {
  assert.ok(isRindleError(err), String(err))
  assert.equal(err.code, code)
  return true
}

const changedMind = new TypeError('changed my mind')

const onPg = (pool: pg.Pool): Adopter => ({
  name: 'a checked-out pg client',
  async run(body, isolation = undefined) {
    const client = await pool.connect()
    try {
      await client.query(isolation ? `begin isolation level ${isolation}` : 'begin')
      const result = await body(client, (id) => client.query('insert into people (id, name) values ($1, $2)', [id, 'pg']))
      await client.query('commit')
      return result
    } catch (err) {
      await client.query('rollback')
      throw err
    } finally {
      client.release()
    }
  },
})

const onKysely = (name: string, kysely: Kysely<PeopleSchema>, isolating = true): Adopter => ({
  name,
  run: (body, isolation) => {
    const begun = isolation && isolating ? kysely.transaction().setIsolationLevel(isolation) : kysely.transaction()
    return begun.execute((tx) => body(tx, (id) => tx.insertInto('people').values({ id, name: 'kysely' }).execute()))
  },
})

const onKnex = (knex: ReturnType<typeof knexFor>): Adopter => ({
  name: 'a Knex transaction',
  run: (body, isolation) =>
    knex.transaction((tx) => body(tx, async (id) => tx('people').insert({ id, name: 'knex' })), isolation && { isolationLevel: isolation }),
})

const onPrisma = (prisma: ReturnType<typeof openPrisma>): Adopter => ({
  name: 'a Prisma interactive transaction',
  run: (body, isolation) =>
    prisma.$transaction(
      (tx) => body(tx, (id) => tx.people.create({ data: { id, name: 'prisma' } })),
      isolation ? { isolationLevel: 'RepeatableRead' } : {},
    ),
})

const onDrizzle = (name: string, db: ReturnType<typeof drizzleOnPg> | ReturnType<typeof drizzleOnPglite>, nested = false): Adopter => ({
  name,
  run: (body, isolation) => {
    type Tx = Parameters<Parameters<ReturnType<typeof drizzleOnPg>['transaction']>[0]>[0]
    const within = (tx: Tx) => body(tx, async (id) => tx.insert(people).values({ id, name: 'drizzle' }))
    return (db as ReturnType<typeof drizzleOnPg>).transaction(
      (tx) => (nested ? tx.transaction(within) : within(tx)),
      isolation && { isolationLevel: isolation },
    )
  },
})

const onPglite = (pglite: PGlite): Adopter => ({
  name: "PGlite's own transaction",
  run: (body) =>
    pglite.transaction((tx: PgliteTransaction) =>
      body(tx, (id) => tx.query('insert into people (id, name) values ($1, $2)', [id, 'pglite'])),
    ),
})

const adoptersOn = (url: string) => {
  const pool = new pg.Pool({ connectionString: url, max: 4 })
  pool.on('error', () => {})
  const knex = knexFor({ client: 'pg', connection: url })
  const prisma = openPrisma(url)
  const kysely = new Kysely<PeopleSchema>({ dialect: new PostgresDialect({ pool }) })
  const camel = new Kysely<PeopleSchema>({ dialect: new PostgresDialect({ pool }), plugins: [new CamelCasePlugin()] })
  const drizzle = drizzleOnPg(pool)
  return {
    adopters: [
      onPg(pool),
      onKysely('a Kysely transaction', kysely),
      onKysely('a Kysely transaction with a plugin', camel),
      onDrizzle('a Drizzle transaction', drizzle),
      onDrizzle('a Drizzle savepoint', drizzle, true),
      onPrisma(prisma),
      onKnex(knex),
    ],
    notTransactions: { 'a pg Pool': pool, 'a Knex': knex, 'a Prisma client': prisma, 'a Kysely': kysely, 'a Drizzle database': drizzle },
    async close() {
      await knex.destroy()
      await prisma.$disconnect()
      await pool.end()
    },
  }
}

const adoptersOnPglite = (given: unknown) => {
  const pglite = given as PGlite
  const kysely = new Kysely<PeopleSchema>({ dialect: new PGliteDialect({ pglite }) })
  const drizzle = drizzleOnPglite(pglite)
  return {
    adopters: [
      onPglite(pglite),
      onKysely('a Kysely transaction', kysely, false),
      onDrizzle('a Drizzle transaction', drizzle),
      onDrizzle('a Drizzle savepoint', drizzle, true),
    ],
    notTransactions: { 'a PGlite': pglite, 'a Kysely': kysely, 'a Drizzle database': drizzle },
    close: async () => {},
  }
}

const names = {
  pglite: ["PGlite's own transaction", 'a Kysely transaction', 'a Drizzle transaction', 'a Drizzle savepoint'],
  postgres: [
    'a checked-out pg client',
    'a Kysely transaction',
    'a Kysely transaction with a plugin',
    'a Drizzle transaction',
    'a Drizzle savepoint',
    'a Prisma interactive transaction',
    'a Knex transaction',
  ],
}

/** One row with every type that our statements return, by the names they have in the schema. */
const everyType = (tx: Queryable) =>
  sql<Record<string, unknown>>`
    select ${7}::integer as fence, 9007199254740991::bigint as byte_size, 3::bigint as "committedOffset", ${noon}::timestamptz as due_at,
           '2026-06-01 12:00:00.5+02'::timestamptz as "expiresAt", ${new Uint8Array([0, 255, 7])}::bytea as sha256, ${'{"a":[1,"?"],"b":null}'}::text::jsonb as metadata,
           '[1]'::jsonb as figures, ${['x,y', 'z"', '']}::text[] as variant_names, ${v7String}::uuid as id, '77'::xid8::text as xid, true as many,
           null::timestamptz as passed_at, null::bigint as duration_ms, 'plain?'::text as filename, count(*) as count, max(1.5::float8) as share
      from rindle.leases where '{"k":1}'::jsonb ? 'k'`.execute(tx)

const v7String = '019a0000-0000-7000-8000-000000000001'
const everyTypeRow = {
  fence: 7,
  byte_size: 9007199254740991,
  committedOffset: 3,
  due_at: noon,
  expiresAt: new Date('2026-06-01T10:00:00.500Z'),
  sha256: new Uint8Array([0, 255, 7]),
  metadata: { a: [1, '?'], b: null },
  figures: [1],
  variant_names: ['x,y', 'z"', ''],
  id: v7String,
  xid: '77',
  many: true,
  passed_at: null,
  duration_ms: null,
  filename: 'plain?',
  count: 2,
  share: 1.5,
}

for (const engine of engines.filter(({ name }) => name !== 'postgres-runtime-role')) {
  const isPglite = engine.name === 'pglite'

  describe(`an adopter's transaction on ${engine.name}`, { skip: engine.skip }, () => {
    let database: EngineDatabase
    let db: Database
    let queue: Queue
    let theirs: ReturnType<typeof adoptersOn> | ReturnType<typeof adoptersOnPglite>
    let lastId = 0
    const nextId = () => (lastId += 1)

    before(async () => {
      database = await engine.open()
      await database.query(peopleTable)
      db = openDatabase(database.given)
      await db.open()
      queue = createQueue({ database: db })
      await queue.open()
      theirs = isPglite ? adoptersOnPglite(database.given) : adoptersOn(database.place)
    })
    after(async () => {
      await theirs.close()
      await queue.close()
      await db.close()
      await database.close()
    })

    const ctx = () => ({ db, queue, clock, ids: { next: () => v7() }, slots: { avatar: { profile: 'avatar', many: false } } })
    const verifiedAsset = async () => {
      const id = v7()
      const row = { id, profile: 'avatar', filename: 'me?.jpg', content_type: 'image/jpeg', due_at: noon }
      await moves(db.pool, ctx(), [born('asset', assetMachine, ['accept'], { rows: [row] })])
      return id
    }
    const standing = async (person: number, assetId: string) => ({
      people: (await database.query('select id from people where id = $1', [person])).length,
      attachments: (
        await database.query('select id from rindle.media_attachments where owner_id = $1 and asset_id = $2', [String(person), assetId])
      ).length,
      jobs: (await database.query(`select id from rindle_queue.job where name = 'settle_slots' and data->>'id' = $1`, [assetId])).length,
      history: (await database.query(`select seq from rindle.state_moves where asset_id = $1 and entity = 'attachment'`, [assetId])).length,
    })
    const adopter = (name: string) => theirs.adopters.find((one) => one.name === name) as Adopter

    for (const name of names[isPglite ? 'pglite' : 'postgres']) {
      describe(name, () => {
        it('commits the attachment, its history and its job with the row of the app', async () => {
          const [person, assetId] = [nextId(), await verifiedAsset()]
          const attached = await adopter(name).run(async (tx, write) => {
            await write(person)
            return attach(ctx(), assetId, { type: 'User', id: person }, 'avatar', { tx, alt: 'what? $1' })
          })
          assert.equal(attached.alt, 'what? $1')
          assert.deepEqual(await standing(person, assetId), { people: 1, attachments: 1, jobs: 1, history: 1 })
        })

        it('takes them all back with it', async () => {
          const [person, assetId] = [nextId(), await verifiedAsset()]
          const rolledBack = adopter(name).run(async (tx, write) => {
            await write(person)
            await attach(ctx(), assetId, { type: 'User', id: person }, 'avatar', { tx })
            const { rows } = await db.within(tx, (on) =>
              sql`select id from rindle.media_attachments where asset_id = ${assetId}::uuid`.execute(on),
            )
            assert.equal(rows.length, 1)
            throw changedMind
          })
          await assert.rejects(rolledBack, (err) => err === changedMind)
          assert.deepEqual(await standing(person, assetId), { people: 0, attachments: 0, jobs: 0, history: 0 })
        })

        it('gives the same rows as a connection of our own', async () => {
          assert.deepEqual((await everyType(db.pool)).rows, [everyTypeRow])
          await adopter(name).run(async (tx) => {
            assert.deepEqual((await db.within(tx, everyType)).rows, [everyTypeRow])
          })
        })

        it('counts the rows that a statement touched, and says of a lock how isolated its transaction is', async () => {
          const assetId = await verifiedAsset()
          await adopter(name).run((tx) =>
            db.within(tx, async (on) => {
              assert.equal(await lockName(on, 'a lock'), 'read committed')
              const updated = await on
                .updateTable('rindle.media_assets')
                .set({ filename: 'b.png' })
                .where('id', '=', assetId)
                .executeTakeFirst()
              assert.equal(updated.numUpdatedRows, 1n)
            }),
          )
        })

        it('keeps storage out while it is open, and not after', async () => {
          assert.equal(insideTransaction(), false)
          await adopter(name).run(async (tx) => {
            await db.within(tx, async () => assert.equal(insideTransaction(), true))
            assert.equal(insideTransaction(), false)
          })
        })

        it("hands PostgreSQL's own codes on", async () => {
          const failing = adopter(name).run((tx) => db.within(tx, (on) => sql`select 1 / ${0}::integer`.execute(on)))
          await assert.rejects(failing, { name: 'SqlError', code: '22012' })
        })

        if (!isPglite) {
          it('is told to begin again when it met another transaction', async () => {
            const assetId = await verifiedAsset()
            const touch = (on: Queryable) =>
              sql`update rindle.media_assets set revision = revision + 1 where id = ${assetId}::uuid`.execute(on)
            const crossed = adopter(name).run(async (tx) => {
              await db.within(tx, (on) => sql`select count(*)::integer from rindle.media_assets`.execute(on))
              await touch(db.pool)
              await db.within(tx, touch)
            }, 'repeatable read')
            await assert.rejects(crossed, rejectsWith('transaction_conflict'))
          })
        }

        if (isPglite) {
          const title = 'is an error, not a wait without end, when it is forgotten'
          it(title, { timeout: 30_000 }, async () => {
            const [person, assetId] = [nextId(), await verifiedAsset()]
            const forgotten = adopter(name).run(async (_tx, write) => {
              await write(person)
              await attach(ctx(), assetId, { type: 'User', id: person }, 'avatar')
            })
            await assert.rejects(forgotten, rejectsWith('transaction_not_passed'))
            assert.deepEqual(await standing(person, assetId), { people: 0, attachments: 0, jobs: 0, history: 0 })
          })
        }
      })
    }

    it('is not what a pool, a database or a client without a transaction is', async () => {
      for (const [name, given] of Object.entries({ ...theirs.notTransactions, null: null, text: 'tx', number: 1, 'a record': {} })) {
        const attempt = db.within(given, async () => assert.fail(`${name} was taken`))
        await assert.rejects(attempt, rejectsWith('transaction_not_supported'), name)
      }
    })
  })
}
