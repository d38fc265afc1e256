import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import { after, afterEach, before, describe, it } from 'node:test'
import { createQueue } from '../../src/adapters/queue/pg-boss.ts'
import { queueMigrations } from '../../src/adapters/queue/install.ts'
import { isRindleError } from '../../src/core/errors.ts'
import { jobNames } from '../../src/core/jobs.ts'
import type { Queue } from '../../src/core/ports/queue.ts'
import type { Database, Queryable } from '../../src/database/database.ts'
import { migrate } from '../../src/database/migrate.ts'
import { openDatabase } from '../../src/database/open.ts'
import { executorOf } from '../../src/database/queryable.ts'
import { type EngineDatabase, engines } from '../services/engines.ts'

for (const engine of engines) {
  describe(`the queue on ${engine.name}`, { skip: engine.skip }, () => {
    let database: EngineDatabase
    let db: Database
    let queue: Queue

    before(async () => {
      database = await engine.open()
      db = openDatabase(database.given)
      await db.open()
      queue = createQueue({ database: db })
      await queue.open()
    })
    afterEach(() => database.empty())
    after(async () => {
      await queue.close()
      await db.close()
      await database.close()
    })

    const enqueue = async (on: Queryable, ...jobs: Parameters<Queue['insertion']>[0]) => {
      const { text, values } = queue.insertion(jobs)
      await executorOf(on).execute(`with looked as (select 1 as one), jobs as (${text}) select count(*)::int as n from looked`, values)
    }
    const waiting = async () => (await database.query(`select name from rindle_queue.job order by name`)).map(({ name }) => name)

    it('takes any number of jobs of any kind as one statement of the same text', async () => {
      const one = queue.insertion([{ name: 'promote_asset', id: 'a' }])
      const many = queue.insertion([
        { name: 'settle_slots', id: 'b', delaySeconds: 30 },
        { name: 'delete_object', id: 'c' },
      ])
      assert.equal(one.text, many.text)
      assert.deepEqual([one.values.length, many.values.length], [1, 1])
      await enqueue(db.pool, { name: 'promote_asset', id: 'a' }, { name: 'promote_asset', id: 'b' }, { name: 'delete_object', id: 'c' })
      const promotions = await queue.fetch('promote_asset', 10)
      assert.deepEqual(promotions.map(({ id }) => id).sort(), ['a', 'b'])
      assert.deepEqual(
        (await queue.fetch('delete_object', 10)).map(({ id, name }) => ({ id, name })),
        [{ id: 'c', name: 'delete_object' }],
      )
      assert.deepEqual(await queue.fetch('promote_asset', 10), [])
    })

    it('keeps a job that was enqueued in a transaction only if that commits', async () => {
      const undo = new TypeError('undo')
      await assert.rejects(
        db.transaction(async (tx) => {
          await enqueue(tx, { name: 'purge_asset', id: 'gone' })
          throw undo
        }),
        undo,
      )
      assert.deepEqual(await waiting(), [])
      await db.transaction((tx) => enqueue(tx, { name: 'purge_asset', id: 'kept' }))
      assert.deepEqual(await waiting(), ['purge_asset'])
    })

    it('hands out a delayed job when its time has come and not before', async () => {
      await enqueue(db.pool, { name: 'promote_asset', id: 'later', delaySeconds: 1 })
      assert.deepEqual(await queue.fetch('promote_asset', 1), [])
      await pause(1_100)
      assert.deepEqual(
        (await queue.fetch('promote_asset', 1)).map(({ id }) => id),
        ['later'],
      )
    })

    it('leaves nothing of a job that has ended', async () => {
      await enqueue(db.pool, { name: 'promote_asset', id: 'a' }, { name: 'settle_slots', id: 'b' })
      const jobs = [...(await queue.fetch('promote_asset', 1)), ...(await queue.fetch('settle_slots', 1))]
      assert.equal(jobs.length, 2)
      await queue.complete(jobs)
      await queue.complete(jobs)
      assert.deepEqual(await waiting(), [])
    })

    it('forgets a job whose worker was killed a day ago, and only then', async () => {
      await enqueue(db.pool, { name: 'promote_asset', id: 'a' }, { name: 'promote_asset', id: 'b' })
      const [first] = await queue.fetch('promote_asset', 1)
      await queue.tidy()
      assert.deepEqual(await waiting(), ['promote_asset', 'promote_asset'])
      await database.query(`update rindle_queue.job set started_on = now() - interval '25 hours' where id = $1`, [first?.jobId])
      await queue.tidy()
      assert.deepEqual(await waiting(), ['promote_asset'])
    })

    it('tells who listens at once, then at most once in 20 ms, and nothing is lost in between', async () => {
      const heard: { names: readonly string[]; atMs: number }[] = []
      const stop = await queue.listen((names) => heard.push({ names, atMs: performance.now() }))
      assert.ok(stop)
      await pause(30)
      const began = performance.now()
      queue.notify([{ name: 'promote_asset', id: 'a' }])
      while (heard.length === 0) await pause(1)
      assert.deepEqual(heard[0]?.names, ['promote_asset'])
      assert.ok(performance.now() - began < 1_000)
      for (let count = 0; count < 200; count += 1) {
        queue.notify([{ name: 'settle_slots', id: String(count) }])
        if (count === 150) queue.notify()
        await pause(1)
      }
      await pause(500)
      const took = performance.now() - began
      assert.ok(heard.length <= took / 20 + 2, `${heard.length} notifications in ${took} ms`)
      assert.deepEqual([...new Set(heard.flatMap(({ names }) => names))].sort(), [...jobNames].sort())
      await stop()
    })

    it('asks the database for nothing by itself, and once for each fetch', async () => {
      const counted = countStatements(db)
      await pause(100)
      assert.equal(counted(), 0)
      await queue.fetch('promote_asset', 1)
      assert.equal(counted(), 1)
    })
  })
}

/** Counts the statements of a database from now on. */
function countStatements(db: Database): () => number {
  const executor = executorOf(db.pool)
  const execute = executor.execute.bind(executor)
  let count = 0
  executor.execute = (text, values) => {
    count += 1
    return execute(text, values)
  }
  return () => count
}

for (const engine of engines.filter(({ name }) => name !== 'postgres-runtime-role')) {
  describe(`installing the queue on ${engine.name}`, { skip: engine.skip }, () => {
    let database: EngineDatabase
    let db: Database
    before(async () => {
      database = await engine.open({ migrated: false })
      db = openDatabase(database.given)
      await db.open()
    })
    after(async () => {
      await db.close()
      await database.close()
    })

    const opens = async () => {
      const queue = createQueue({ database: db })
      await queue.open()
      await queue.close()
    }
    const mismatch = (err: unknown) => isRindleError(err) && err.code === 'schema_version_mismatch'

    it('is done by migrate, once; until then the queue does not open', async () => {
      await assert.rejects(opens, mismatch)
      assert.equal((await migrate(db, { queue: queueMigrations })).queueInstalled, true)
      await opens()
      assert.equal((await migrate(db, { queue: queueMigrations })).queueInstalled, false)
    })

    it('adds a queue that a later version names', async () => {
      await database.query(`select rindle_queue.delete_queue('purge_asset')`)
      await assert.rejects(opens, mismatch)
      assert.equal((await migrate(db, { queue: queueMigrations })).queueInstalled, true)
      await opens()
    })

    it('refuses a schema that is newer than the library', async () => {
      await database.query('update rindle_queue.version set version = version + 1')
      await assert.rejects(opens, mismatch)
      await assert.rejects(migrate(db, { queue: queueMigrations }), mismatch)
    })
  })
}
