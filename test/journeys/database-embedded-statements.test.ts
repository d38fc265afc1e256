import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { PGlite } from '@electric-sql/pglite'
import type { Database, Queryable } from '../../src/database/database.ts'
import { openDatabase } from '../../src/database/open.ts'
import { executorOf } from '../../src/database/queryable.ts'
import { SqlError } from '../../src/database/sql-error.ts'
import { pgliteFolder } from '../services/pglite.ts'

const run = (on: Queryable, text: string, values: readonly unknown[] = []) => executorOf(on).execute(text, values)

const errorOf = async (act: () => Promise<unknown>): Promise<unknown> => {
  try {
    await act()
  } catch (err) {
    return err
  }
  return assert.fail('it did not throw')
}

const sqlErrorOf = async (act: () => Promise<unknown>) => {
  const err = await errorOf(act)
  assert.ok(err instanceof SqlError, String(err))
  return { code: err.code, message: err.message, constraint: err.constraint }
}

const insertNote = 'insert into public.notes (n, word) values ($1, $2)'
const allNotes = 'select * from public.notes order by n'

describe('statements of the embedded database', () => {
  let theirs: PGlite
  let db: Database
  let remove: () => void
  before(async () => {
    const made = await pgliteFolder()
    remove = made.remove
    theirs = await PGlite.create(made.dataDir)
    db = openDatabase(theirs)
    await db.open()
  })
  beforeEach(() => theirs.exec('drop table if exists public.notes; create table public.notes (n integer primary key, word text)'))
  after(async () => {
    await theirs.close()
    remove()
  })

  /** By what name the server knows a text. */
  const nameOf = async (text: string) => {
    const { rows } = await theirs.query<{ name: string }>('select name from pg_prepared_statements where statement = $1', [text])
    return rows.map(({ name }) => name)
  }
  const prepared = async (text: string, values: readonly unknown[] = []) => {
    await run(db.pool, text, values)
    await run(db.pool, text, values)
    assert.equal((await nameOf(text)).length, 1, text)
  }

  it('are named from their second use on, and answer alike by name and without one', async () => {
    const text = `select $1::bigint as number, $2::timestamptz as at, $3::bytea as bytes, $4::jsonb as json, $5::text[] as words,
      $6::boolean as flag, $7::text as nothing, $8::integer[] as numbers, date '2026-01-02' as day, 'é "quoted"'::text as word,
      'infinity'::timestamptz as never, 9007199254740993::bigint as large`
    const at = new Date('2026-02-03T04:05:06.789Z')
    const values = [12, at, new Uint8Array([0, 255]), { a: [1, null] }, ['a', 'b,"c"', null], true, null, [1, 2]]
    const first = await run(db.pool, text, values)
    assert.deepEqual(await nameOf(text), [])
    for (const _ of [1, 2, 3]) assert.deepEqual(await run(db.pool, text, values), first)
    assert.equal((await nameOf(text)).length, 1)
    assert.deepEqual(first.rows[0]?.['at'], at)

    const many = 'select n, repeat($1, 100000) as word from generate_series(1, $2::integer) n'
    for (const count of [30, 0, 30]) {
      const { rows } = await run(db.pool, many, ['x', count])
      assert.deepEqual([rows.length, String(rows[29]?.['word'] ?? '').length], count === 0 ? [0, 0] : [30, 100_000])
    }
  })

  it('tell by name how many rows they touched', async () => {
    for (const n of [1, 2, 3]) assert.deepEqual(await run(db.pool, insertNote, [n, 'a']), { rows: [], affected: 1 })
    const update = 'update public.notes set word = $1 returning n'
    for (const word of ['b', 'c']) {
      const { rows, affected } = await run(db.pool, update, [word])
      assert.deepEqual([rows.length, affected], [3, 3])
    }
  })

  it('fail by name as they do without one, and the next is not touched by it', async () => {
    const failing: [text: string, values: readonly unknown[], code: string][] = [
      [insertNote, [1, 'again'], '23505'],
      ['select $1::integer as n', ['no number'], '22P02'],
      ['select 1 / $1::integer as n', [0], '22012'],
    ]
    await run(db.pool, 'insert into public.notes (n) values (1)')
    for (const [text, values, code] of failing) {
      const first = await sqlErrorOf(() => run(db.pool, text, values))
      assert.equal(first.code, code)
      for (const _ of [1, 2]) assert.deepEqual(await sqlErrorOf(() => run(db.pool, text, values)), first)
      assert.equal((await nameOf(text)).length, 1)
      assert.equal((await run(db.pool, allNotes)).rows.length, 1)
    }
    for (const _ of [1, 2, 3]) assert.equal((await sqlErrorOf(() => run(db.pool, 'select * from public.nowhere'))).code, '42P01')
    for (const _ of [1, 2, 3]) assert.equal((await sqlErrorOf(() => run(db.pool, 'select 1; select 2'))).code, '42601')
    const wrongly = () => run(db.pool, 'select $1::bytea as bytes', ['no bytes'])
    for (const _ of [1, 2, 3]) assert.match(String(await errorOf(wrongly)), /bytea/)
  })

  it('belong to the transaction that they are run in', async () => {
    await prepared(allNotes)
    for (const n of [1, 2]) {
      await db.transaction(async (tx) => {
        await run(tx, insertNote, [n, 'kept'])
        assert.equal((await run(tx, allNotes)).rows.length, n)
      })
    }
    const undone = db.transaction(async (tx) => {
      await run(tx, insertNote, [3, 'undone'])
      await run(tx, insertNote, [3, 'refused'])
    })
    assert.equal((await sqlErrorOf(() => undone)).code, '23505')
    const caught = db.transaction(async (tx) => {
      await sqlErrorOf(() => run(tx, insertNote, [1, 'refused']))
      assert.equal((await sqlErrorOf(() => run(tx, allNotes))).code, '25P02')
    })
    assert.equal((await sqlErrorOf(() => caught)).code, '25P02')
    assert.deepEqual(
      (await run(db.pool, allNotes)).rows.map(({ n }) => n),
      [1, 2],
    )
  })

  it('wait for a transaction of the app, and are refused once their own has ended', async () => {
    await prepared(allNotes)
    const { promise: open, resolve } = Promise.withResolvers<void>()
    const held = theirs.transaction(async (tx) => {
      await tx.query('insert into public.notes (n) values (1)')
      await open
    })
    const waiting = run(db.pool, allNotes)
    resolve()
    assert.equal((await waiting).rows.length, 1)
    await held
    const left = await db.transaction(async (tx) => tx)
    assert.match(String(await errorOf(() => run(left, allNotes))), /closed/)
  })

  it('wait for a transaction of ours that somebody else has open', async () => {
    await prepared(allNotes)
    const { promise: open, resolve } = Promise.withResolvers<void>()
    const begun = Promise.withResolvers<void>()
    const held = db.transaction(async (tx) => {
      await run(tx, insertNote, [1, 'undone'])
      begun.resolve()
      await open
      throw new Error('changed its mind')
    })
    await begun.promise
    const waiting = run(db.pool, allNotes)
    assert.equal(await Promise.race([waiting, pause(50, 'waits')]), 'waits')
    resolve()
    assert.match(String(await errorOf(() => held)), /changed its mind/)
    assert.deepEqual((await waiting).rows, [])
  })

  it('are prepared anew, without anybody noticing, when the app has discarded those of the session', async () => {
    await prepared(allNotes)
    await prepared(`${allNotes} desc`)
    for (const discard of ['deallocate all', 'discard all']) {
      await theirs.exec(discard)
      assert.deepEqual((await run(db.pool, allNotes)).rows, [])
      assert.equal((await nameOf(allNotes)).length, 1)
      await theirs.exec(discard)
      let attempts = 0
      const rows = await db.transaction(async (tx) => {
        attempts += 1
        await run(tx, insertNote, [1, 'first'])
        return (await run(tx, allNotes)).rows
      })
      assert.deepEqual([rows.length, attempts], [1, 2])
      await run(db.pool, 'delete from public.notes')
    }
  })

  it('are prepared anew when a table has changed so that they answer in another form', async () => {
    await prepared(allNotes)
    await theirs.exec('insert into public.notes (n) values (1); alter table public.notes add column more integer default 7')
    assert.deepEqual((await run(db.pool, allNotes)).rows, [{ n: 1, word: null, more: 7 }])
    await theirs.exec('alter table public.notes drop column more')
    const rows = await db.transaction(async (tx) => (await run(tx, allNotes)).rows)
    assert.deepEqual(rows, [{ n: 1, word: null }])
  })

  it('of two that use one instance are the same, and outlive either', async () => {
    const other = openDatabase(theirs)
    await prepared(allNotes)
    const names = await nameOf(allNotes)
    await run(other.pool, allNotes)
    await other.close()
    await run(db.pool, allNotes)
    assert.deepEqual(await nameOf(allNotes), names)
  })

  it('are a hundred at most, those that were used last, and each lives for a thousand uses', async () => {
    const often = 'select 0 as often'
    await prepared(often)
    const [before] = await nameOf(often)
    for (let n = 1; n <= 120; n += 1) {
      for (const _ of [1, 2]) await run(db.pool, `select ${n} as seldom`)
      await run(db.pool, often)
    }
    const { rows } = await theirs.query<{ count: number }>('select count(*)::integer as count from pg_prepared_statements')
    assert.equal(rows[0]?.count, 100)
    assert.deepEqual([await nameOf(often), await nameOf('select 1 as seldom')], [[before], []])
    for (let uses = 0; uses < 1_000; uses += 1) await run(db.pool, often)
    const after = await nameOf(often)
    assert.equal(after.length, 1)
    assert.notEqual(after[0], before)
  })

  it('on an instance that was closed are refused as by the instance itself', async () => {
    const made = await pgliteFolder()
    const instance = await PGlite.create(made.dataDir)
    const closed = openDatabase(instance)
    for (const _ of [1, 2]) await run(closed.pool, 'select 1 as one')
    await instance.close()
    assert.match(String(await errorOf(() => run(closed.pool, 'select 1 as one'))), /PGlite is closed/)
    made.remove()
  })
})
