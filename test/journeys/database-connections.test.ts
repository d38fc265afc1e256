import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import pg from 'pg'
import { type ErrorCode, isRindleError } from '../../src/core/errors.ts'
import type { Database, Queryable } from '../../src/database/database.ts'
import { openDatabase } from '../../src/database/open.ts'
import { afterCommit, insideTransaction } from '../../src/database/transaction.ts'
import { administer, createDatabase, hasPostgres, type PostgresServer, startPostgres, type TestDatabase } from '../services/postgres.ts'

const withoutServer = hasPostgres() ? false : 'PostgreSQL is not installed'

const rejectsWith = (code: ErrorCode) => (err: unknown) => {
  assert.ok(isRindleError(err), String(err))
  assert.equal(err.code, code)
  return true
}

const until = async (isSo: () => boolean | Promise<boolean>) => {
  for (let left = 200; !(await isSo()); left -= 1) {
    assert.ok(left > 0, 'it did not become so in ten seconds')
    await sleep(50)
  }
}

describe('a database on PostgreSQL', { skip: withoutServer }, () => {
  let server: PostgresServer
  let database: TestDatabase
  const opened: Database[] = []
  const open = (given: Parameters<typeof openDatabase>[0] = database.url) => {
    const db = openDatabase(given)
    opened.push(db)
    return db
  }
  before(async () => {
    server = await startPostgres()
    database = await createDatabase(server)
    await administer(database.url, 'create table boxes (id integer primary key, n integer not null)')
  })
  after(async () => {
    for (const db of opened) await db.close()
    await database.drop()
    await server.stop()
  })

  const add = (on: Queryable, id: number) => sql`update boxes set n = n + 1 where id = ${id}::integer`.execute(on)
  const boxes = async (...ids: number[]) => {
    await administer(database.url, ...ids.map((id) => `insert into boxes values (${id}, 0)`))
    const db = open()
    return async () =>
      (await sql<{ n: number }>`select n from boxes where id = any(${ids}::integer[]) order by id`.execute(db.pool)).rows.map(({ n }) => n)
  }
  const preparedOn = async (on: Queryable) => {
    const { rows } = await sql<{ name: string }>`select name from pg_prepared_statements`.execute(on)
    return rows.map(({ name }) => name)
  }

  describe('statements', () => {
    it('are prepared by name from their second use on a connection', async () => {
      await open().transaction(async (tx) => {
        for (const id of [1, 2, 3]) await add(tx, id)
        assert.equal((await preparedOn(tx)).filter((name) => /^rindle_[0-9a-f]{16}$/.test(name)).length >= 1, true)
      })
    })

    it('are not when a pooler stands between', async () => {
      await open({ url: database.url, prepared: false }).transaction(async (tx) => {
        for (const id of [1, 2, 3]) await add(tx, id)
        assert.deepEqual(await preparedOn(tx), [])
      })
    })

    it('of the app are left alone in its own pool, which stays open', async () => {
      const pool = new pg.Pool({ connectionString: database.url, max: 1 })
      const db = open(pool)
      await db.open()
      await db.close()
      const { rows } = await pool.query('select 1::bigint as n, now() as at')
      assert.equal(rows[0].n, '1')
      await pool.end()
    })
  })

  describe('a transaction', () => {
    it('is run again after a deadlock, and what was asked for after the commit happens once', { timeout: 30_000 }, async () => {
      const counts = await boxes(11, 12)
      const db = open()
      let attempts = 0
      const committed: string[] = []
      const { promise: bothHold, resolve } = Promise.withResolvers<void>()
      let holders = 0
      const cross = (name: string, first: number, second: number) =>
        db.transaction(async (tx) => {
          attempts += 1
          afterCommit(() => committed.push(name))
          await add(tx, first)
          holders += 1
          if (holders === 2) resolve()
          await bothHold
          await add(tx, second)
        })
      await Promise.all([cross('one', 11, 12), cross('two', 12, 11)])
      assert.deepEqual(await counts(), [2, 2])
      assert.ok(attempts >= 3, 'there was no deadlock')
      assert.deepEqual(committed.sort(), ['one', 'two'])
    })

    it('gives up when the conflict does not end', async () => {
      const db = open()
      let attempts = 0
      const hopeless = db.transaction(async (tx) => {
        attempts += 1
        await sql`do $$ begin raise exception 'again' using errcode = '40001'; end $$`.execute(tx)
      })
      await assert.rejects(hopeless, rejectsWith('transaction_conflict'))
      assert.ok(attempts > 1 && attempts < 20)
    })

    it('keeps nothing when its body throws, and hands the very error on', async () => {
      const counts = await boxes(21)
      const mine = new TypeError('no')
      const db = open()
      const failing = db.transaction(async (tx) => {
        await add(tx, 21)
        throw mine
      })
      await assert.rejects(failing, (err) => err === mine)
      assert.deepEqual(await counts(), [0])
      await db.transaction(async (tx) => {
        assert.deepEqual((await sql`select n from boxes where id = 21`.execute(tx)).rows, [{ n: 0 }], 'nor on its connection')
      })
      assert.deepEqual(await counts(), [0])
    })

    it('does not pass for committed when an error inside it was swallowed', async () => {
      const counts = await boxes(31)
      const swallowing = open().transaction(async (tx) => {
        await add(tx, 31)
        await sql`select 1 / ${0}::integer`.execute(tx).catch(() => {})
      })
      await assert.rejects(swallowing, { name: 'SqlError', code: '25P02' })
      assert.deepEqual(await counts(), [0])
    })

    it('takes no other inside', async () => {
      const db = open()
      const nested = db.transaction(() => db.transaction(async () => {}))
      await assert.rejects(nested, rejectsWith('transaction_not_passed'))
    })

    it('is over for what it started and did not wait for', async () => {
      const db = open()
      const { promise: later, resolve } = Promise.withResolvers<boolean>()
      await db.transaction(async () => {
        assert.equal(insideTransaction(), true)
        setTimeout(() => resolve(insideTransaction()), 50)
      })
      assert.equal(insideTransaction(), false)
      assert.equal(await later, false)
    })
  })

  describe('a lost connection', () => {
    const end = (pid: number) => administer(database.url, `select pg_terminate_backend(${pid})`)
    const pidOf = async (on: Queryable) => (await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(on)).rows[0]?.pid ?? 0

    it('is a typed error that may be tried again, and the next call works', async () => {
      const counts = await boxes(41)
      const db = open()
      const cut = db.transaction(async (tx) => {
        await add(tx, 41)
        await end(await pidOf(tx))
        await add(tx, 41)
      })
      await assert.rejects(
        cut,
        (err) => rejectsWith('database_unavailable')(err) && isRindleError(err) && err.retryable && err.cause !== undefined,
      )
      await db.transaction((tx) => add(tx, 41))
      assert.deepEqual(await counts(), [1])
    })

    it('of an idle connection does not end the process', async () => {
      const db = open()
      await end(await pidOf(db.pool))
      await sleep(100)
      assert.ok((await pidOf(db.pool)) > 0)
    })

    it('keeps nobody from closing when the server is there and says nothing', { timeout: 60_000 }, async () => {
      const sockets: Socket[] = []
      const { port } = new URL(database.url)
      const proxy = createServer((socket) => {
        const behind = connect(Number(port), '127.0.0.1')
        socket.pipe(behind).pipe(socket)
        for (const one of [socket, behind]) sockets.push(one.on('error', () => {}))
      }).listen(0, '127.0.0.1')
      await once(proxy, 'listening')
      const url = new URL(database.url)
      url.port = String((proxy.address() as AddressInfo).port)
      const db = open(url.href)
      const stop = await db.listen('boxes', () => {})
      await db.pool.selectNoFrom(sql`1`.as('one')).execute()
      for (const socket of sockets) socket.unpipe().pause()
      const asked = db.pool.selectNoFrom(sql`2`.as('two')).execute()
      asked.catch(() => undefined)
      const began = performance.now()
      await stop?.()
      await db.close()
      assert.ok(performance.now() - began < 15_000)
      for (const socket of sockets) socket.destroy()
      proxy.close()
    })

    it('costs nobody the process when the server goes in the moment of its welcome', async () => {
      const message = (type: string, body: string): Buffer => {
        const text = Buffer.from(body, 'latin1')
        const head = Buffer.alloc(5, type)
        head.writeInt32BE(text.byteLength + 4, 1)
        return Buffer.concat([head, text])
      }
      const [welcome, readyToServe] = [message('R', '\0\0\0\0'), message('Z', 'I')]
      const goodbye = message(
        'E',
        ['SFATAL', 'VFATAL', 'C57P01', 'Mterminating connection due to unexpected postmaster exit', '', ''].join('\0'),
      )
      const dying = createServer((socket) => {
        socket.on('error', () => {})
        socket.once('data', () => socket.end(Buffer.concat([welcome, readyToServe, goodbye])))
      }).listen(0, '127.0.0.1')
      await once(dying, 'listening')
      const db = open(`postgres://someone@127.0.0.1:${(dying.address() as AddressInfo).port}/nothing`)
      await assert.rejects(
        db.transaction(async () => {}),
        rejectsWith('database_unavailable'),
      )
      await assert.rejects(pidOf(db.pool), rejectsWith('database_unavailable'))
      dying.close()
    })

    it('is what a server that is not there is, without its address or password in the message', async () => {
      const db = open('postgres://someone:secret@127.0.0.1:1/nothing')
      for (const attempt of [
        () => db.open(),
        () => pidOf(db.pool),
        () => db.transaction(async () => {}),
        () => db.listen('any', () => {}),
      ]) {
        await assert.rejects(attempt, (err) => rejectsWith('database_unavailable')(err) && !/secret|someone|127/.test(String(err)))
      }
    })
  })

  describe('a notification', () => {
    it('is heard by other connections and by its own, on the channel alone', async () => {
      const [one, two] = [open(), open()]
      const heard: string[] = []
      const stop = await one.listen('rindle "test"', (payload) => heard.push(`one ${payload}`))
      await two.listen('rindle "test"', (payload) => heard.push(`two ${payload}`))
      await two.listen('another', (payload) => heard.push(`another ${payload}`))
      await one.notify('rindle "test"', 'a')
      await until(() => heard.length === 2)
      assert.deepEqual(heard.sort(), ['one a', 'two a'])
      await stop?.()
      await two.notify('rindle "test"', 'b')
      await until(() => heard.length === 3)
      assert.deepEqual(heard.slice(2), ['two b'])
    })

    it('is heard again after the listening connection was cut', async () => {
      const db = open()
      const heard: string[] = []
      await db.listen('first', (payload) => heard.push(payload))
      await db.listen('second', (payload) => heard.push(payload))
      const listening = `select pid from pg_stat_activity where query like 'listen %' and datname = current_database()`
      const listeners = async () => (await sql.raw<{ pid: number }>(listening).execute(db.pool)).rows.map(({ pid }) => pid)
      const before = await listeners()
      assert.ok(before.length > 0)
      await administer(database.url, ...before.map((pid) => `select pg_terminate_backend(${pid})`))
      await until(async () => (await listeners()).some((pid) => !before.includes(pid)))
      await until(async () => {
        await db.notify('first', '1')
        await db.notify('second', '2')
        await sleep(50)
        return heard.includes('1') && heard.includes('2')
      })
    })

    it('is listened for past the pooler when there is a way', async () => {
      const nowhere = openDatabase({ url: database.url, directUrl: 'postgres://127.0.0.1:1/nothing' })
      await nowhere.open()
      await assert.rejects(
        nowhere.listen('any', () => {}),
        rejectsWith('database_unavailable'),
      )
      await nowhere.close()
      const heard: string[] = []
      const db = open({ url: database.url, directUrl: database.url, prepared: false })
      await db.listen('direct', (payload) => heard.push(payload))
      await db.notify('direct', 'yes')
      await until(() => heard.length === 1)
    })
  })

  describe('opening', () => {
    it('touches nothing before the first use', async () => {
      const db = openDatabase('postgres://127.0.0.1:1/nothing')
      await db.close()
    })

    it('refuses what is no database, saying what is', () => {
      for (const given of [42 as unknown as string, null as unknown as string, {}, { url: 1 }, new Map()]) {
        assert.throws(
          () => openDatabase(given),
          (err) => rejectsWith('options_invalid')(err) && /postgres:\/\//.test(String(err)),
        )
      }
    })

    it('is over after close', async () => {
      const db = openDatabase(database.url)
      await db.open()
      await db.close()
      await db.close()
      for (const attempt of [
        async () => db.open(),
        async () => sql`select 1`.execute(db.pool),
        () => db.transaction(async () => {}),
        () => db.listen('a', () => {}),
      ]) {
        await assert.rejects(attempt, rejectsWith('rindle_closed'))
      }
    })

    it('tells the time of the database', async () => {
      const at = await open().clock.read()
      assert.ok(Math.abs(at.getTime() - Date.now()) < 60_000)
    })
  })
})
