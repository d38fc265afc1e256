import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, describe, it } from 'node:test'
import { PGlite } from '@electric-sql/pglite'
import { sql } from 'kysely'
import { type ErrorCode, isRindleError } from '../../src/core/errors.ts'
import type { Database } from '../../src/database/database.ts'
import { openDatabase } from '../../src/database/open.ts'
import { insideTransaction } from '../../src/database/transaction.ts'
import { pglite } from '../../src/pglite.ts'
import { pgliteFolder } from '../services/pglite.ts'

const rejectsWith = (code: ErrorCode) => (err: unknown) => {
  assert.ok(isRindleError(err), String(err))
  assert.equal(err.code, code)
  return true
}

const otherProcess = (directory: string, way: 'handle' | 'instance') => {
  const entry = new URL('./database-embedded-process.ts', import.meta.url).pathname
  const child = spawn(process.execPath, ['--conditions=rindle-source', entry, directory, way], { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const next = async (): Promise<Record<string, unknown>> => {
    const { value, done } = await lines.next()
    return done ? { ended: true } : JSON.parse(value)
  }
  return { child, next }
}

const kill = async (child: ChildProcess) => {
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}

describe('the embedded database', () => {
  let dataDir: string
  let removeFolder: () => void
  before(async () => {
    const made = await pgliteFolder()
    dataDir = made.dataDir
    removeFolder = made.remove
  })
  after(() => removeFolder())

  describe('in two processes', () => {
    it(
      'refuses the second, saying which directory and who has it, and keeps what the first wrote when that is killed',
      { timeout: 120_000 },
      async () => {
        const { child, next } = otherProcess(dataDir, 'handle')
        assert.deepEqual(await next(), { opened: true })
        const here = openDatabase(pglite(dataDir))
        await assert.rejects(here.open(), (err) => {
          assert.ok(isRindleError(err) && err.code === 'database_in_use', String(err))
          assert.deepEqual(err.details, { directory: dataDir, pid: child.pid })
          assert.ok(err.message.includes(dataDir) && err.message.includes(String(child.pid)) && /DATABASE_URL/.test(err.message))
          return true
        })
        let wrote = 0
        while (wrote < 25) wrote = Number((await next())['wrote'])
        await kill(child)

        await here.open()
        const { rows } = await sql<{ n: number }>`select n from public.marks order by n`.execute(here.pool)
        assert.ok(rows.length >= wrote)
        assert.deepEqual(
          rows.map(({ n }) => n),
          rows.map((_, i) => i + 1),
        )

        for (const way of ['handle', 'instance'] as const) {
          const second = otherProcess(dataDir, way)
          const { code, details } = await second.next()
          assert.deepEqual([code, details], ['database_in_use', { directory: dataDir, pid: process.pid }], way)
          await once(second.child, 'exit')
        }
        await here.close()
        assert.equal(existsSync(`${dataDir}.pid`), false)
      },
    )
  })

  describe('in one process', () => {
    it('is not touched, nor created, before its first use', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'rindle-untouched-'))
      const directory = join(folder, 'not/yet')
      const db = openDatabase(pglite(directory))
      assert.equal(existsSync(join(folder, 'not')), false)
      await db.close()
      assert.equal(existsSync(join(folder, 'not')), false)
      rmSync(folder, { recursive: true })
    })

    it('is one for all handles of the directory, and is let go with the last of them', async () => {
      const [one, two] = [openDatabase(pglite(dataDir)), openDatabase(pglite(`${dataDir}/../db`))]
      await Promise.all([one.open(), two.open()])
      await one.script('create table public.shared (n integer)')
      await one.close()
      assert.deepEqual((await sql`select * from public.shared`.execute(two.pool)).rows, [])
      assert.equal(existsSync(`${dataDir}.pid`), true)
      await two.close()
      assert.equal(existsSync(`${dataDir}.pid`), false)
    })

    it('opens again for a handle that was closed', async () => {
      const handle = pglite(dataDir)
      for (const _ of [1, 2]) {
        const db = openDatabase(handle)
        await db.open()
        assert.equal((await handle.query<{ n: number }>('select 1::integer as n')).rows[0]?.n, 1)
        await db.close()
      }
    })

    it('opens for one handle while another is being closed', async () => {
      const [one, two] = [openDatabase(pglite(dataDir)), openDatabase(pglite(dataDir))]
      await one.open()
      const [, opened] = await Promise.allSettled([one.close(), two.open()])
      assert.equal(opened.status, 'fulfilled')
      await sql`select 1`.execute(two.pool)
      await two.close()
      assert.equal(existsSync(`${dataDir}.pid`), false)
    })

    it('that the app has opened itself is used, locked and left open', async () => {
      const theirs = await PGlite.create(dataDir)
      const [one, two] = [openDatabase(theirs), openDatabase(theirs)]
      await one.open()
      await two.open()
      const { child, next } = otherProcess(dataDir, 'handle')
      assert.equal((await next())['code'], 'database_in_use')
      await once(child, 'exit')
      await one.close()
      assert.equal(existsSync(`${dataDir}.pid`), true)
      await two.close()
      assert.equal((await theirs.query<{ n: number }>('select 1::integer as n')).rows[0]?.n, 1)
      await theirs.close()
      assert.equal(existsSync(`${dataDir}.pid`), false)
    })
  })

  describe('and its transactions', () => {
    let db: Database
    const handle = () => handleOfApp
    let handleOfApp: PGlite
    before(async () => {
      handleOfApp = pglite(dataDir)
      db = openDatabase(handleOfApp)
      await db.open()
      await db.script('create table public.notes (n integer primary key)')
    })
    after(() => db.close())

    it('refuse a statement beside them that is waited for inside, by the library or by the app', async () => {
      const attempts = [
        () => sql`select 1`.execute(db.pool),
        () => handle().query('select 1'),
        () => handle().exec('select 1'),
        () => handle().sql`select 1`,
        () => handle().transaction(async () => {}),
        () => handle().runExclusive(async () => {}),
      ]
      for (const attempt of attempts) {
        await assert.rejects(
          db.transaction(async () => {
            await attempt()
          }),
          rejectsWith('transaction_not_passed'),
          String(attempt),
        )
      }
    })

    it('of the app refuse a call of the library that was not given them', async () => {
      const forgotten = [
        () => sql`select 1`.execute(db.pool),
        () => db.transaction(async () => {}),
        () => db.notify('a', 'b'),
        () => db.clock.read(),
      ]
      for (const attempt of forgotten) {
        await assert.rejects(
          handle().transaction(async () => {
            await attempt()
          }),
          rejectsWith('transaction_not_passed'),
          String(attempt),
        )
      }
    })

    it('of the app make a call from elsewhere wait, and no more', async () => {
      const { promise: open, resolve } = Promise.withResolvers<void>()
      const theirs = handle().transaction(async (tx) => {
        await tx.query('insert into notes values (1)')
        resolve()
        await new Promise((next) => setTimeout(next, 100))
      })
      await open
      const { rows } = await sql<{ n: number }>`select n from public.notes`.execute(db.pool)
      assert.deepEqual(rows, [{ n: 1 }])
      await theirs
    })

    it('are over for what they started and did not wait for', async () => {
      let later: Promise<unknown> = Promise.resolve()
      await handle().transaction(async () => {
        later = new Promise((next) => setTimeout(next, 50)).then(() => sql`select 1`.execute(db.pool))
      })
      await later
    })

    it('do not pass for committed when an error inside was swallowed', async () => {
      const swallowing = db.transaction(async (tx) => {
        await sql`insert into public.notes values (2)`.execute(tx)
        await sql`select 1 / ${0}::integer`.execute(tx).catch(() => {})
      })
      await assert.rejects(swallowing, { name: 'SqlError', code: '25P02' })
      assert.deepEqual((await sql`select n from public.notes where n = 2`.execute(db.pool)).rows, [])
    })

    it('are not what a notification is heard in', async () => {
      const { promise: heard, resolve } = Promise.withResolvers<[string, boolean]>()
      const stop = await db.listen('rindle Embedded', (payload) => resolve([payload, insideTransaction()]))
      await db.transaction((tx) => sql`select pg_notify('rindle Embedded', 'in it')`.execute(tx))
      assert.deepEqual(await heard, ['in it', false])
      await stop?.()
    })
  })

  it('in memory is there until it is closed, and locks nothing', async () => {
    const db = openDatabase(pglite('memory://'))
    await db.script('create table public.mine (n integer)')
    assert.deepEqual((await sql`select * from public.mine`.execute(db.pool)).rows, [])
    await db.close()
    assert.equal(existsSync('memory:'), false)
  })

  it('says what to install when it is not there', async () => {
    const hooks = registerHooks({
      resolve(specifier, context, next) {
        if (specifier === '@electric-sql/pglite') throw Object.assign(new TypeError('gone'), { code: 'ERR_MODULE_NOT_FOUND' })
        return next(specifier, context)
      },
    })
    const fresh: typeof import('../../src/pglite.ts') = await import('../../src/pglite.ts?without-peer' as string)
    const db = openDatabase(fresh.pglite(join(tmpdir(), `rindle-nothing-${process.pid}`)))
    await assert.rejects(db.open(), (err) => rejectsWith('peer_missing')(err) && /npm install @electric-sql\/pglite/.test(String(err)))
    hooks.deregister()
  })
})
