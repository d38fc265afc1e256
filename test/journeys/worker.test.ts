import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { after, afterEach, before, describe, it } from 'node:test'
import { createQueue } from '../../src/adapters/queue/pg-boss.ts'
import { memory } from '../../src/adapters/storage/memory.ts'
import { createTelemetry } from '../../src/adapters/telemetry/diagnostics.ts'
import { silentLogger } from '../../src/adapters/telemetry/logger.ts'
import type { RindleContext } from '../../src/context.ts'
import { contextOf } from '../../src/context.ts'
import { isRindleError, RindleError } from '../../src/core/errors.ts'
import { type JobName, jobNames } from '../../src/core/jobs.ts'
import type { Logger } from '../../src/core/ports/logger.ts'
import type { JobRequest } from '../../src/core/ports/queue.ts'
import { defineProfile } from '../../src/core/profile-definition.ts'
import { executorOf } from '../../src/database/queryable.ts'
import type { JobRecord } from '../../src/doors/worker/job-runner.ts'
import { runWorker, type Worker } from '../../src/doors/worker/worker.ts'
import { clearScratch } from '../../src/flows/ops/clear-scratch.ts'
import { createRindle, type Rindle } from '../../src/rindle.ts'
import { type EngineDatabase, engines } from '../services/engines.ts'
import { administer } from '../services/postgres.ts'

const note = defineProfile({ storage: memory({ name: 'worker' }), kind: 'file', allowMime: ['text/plain'], maxBytes: 1000 })

type Line = { level: string; fields: object; message: string }

const collectingLogger = (lines: Line[]): Logger => {
  const line = (level: string) => (fields: object, message: string) => void lines.push({ level, fields, message })
  return { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') }
}

const until = async (condition: () => boolean | Promise<boolean>, seconds = 10) => {
  const began = performance.now()
  while (!(await condition())) {
    if (performance.now() - began > seconds * 1000) assert.fail(`still not so after ${seconds} s`)
    await pause(5)
  }
  return performance.now() - began
}

for (const engine of engines) {
  describe(`a worker on ${engine.name}`, { skip: engine.skip }, () => {
    let database: EngineDatabase
    let rindle: Rindle
    let ctx: RindleContext
    const lines: Line[] = []
    const workers: Worker[] = []

    before(async () => {
      database = await engine.open()
      rindle = createRindle({
        database: database.given,
        secrets: ['a secret of the tests that is long enough'],
        profiles: { note },
        logger: collectingLogger(lines),
      })
      await rindle.ready()
      ctx = contextOf(rindle)
    })
    afterEach(async () => {
      for (const worker of workers.splice(0)) await worker.stop({ graceMs: 0 })
      lines.length = 0
      await database.empty()
    })
    after(async () => {
      await rindle.close()
      await database.close()
    })

    const enqueue = async (jobs: readonly JobRequest[], notify = true) => {
      const { text, values } = ctx.queue.insertion(jobs)
      await executorOf(ctx.db.pool).execute(`with jobs as (${text}) select 1 as one`, values)
      if (notify) ctx.queue.notify(jobs)
    }
    const tableOf = (run: JobRecord['run']): JobRecord[] => jobNames.map((name) => ({ name, run }))
    const start = (table: readonly JobRecord[], options = {}, on = ctx) => {
      const worker = runWorker(on, table, options)
      workers.push(worker)
      return worker
    }
    const jobsLeft = async () => Number((await database.query('select count(*)::int as n from rindle_queue.job'))[0]?.['n'])

    it('does a job within moments of its notification, and leaves nothing of it in the queue', async () => {
      const done: string[] = []
      start(tableOf(async (_, id) => void done.push(id)))
      await pause(300)
      const took: number[] = []
      for (let count = 0; count < 10; count += 1) {
        await enqueue([{ name: 'promote_asset', id: `id-${count}` }])
        took.push(await until(() => done.includes(`id-${count}`)))
        await pause(25)
      }
      const median = took.sort((one, other) => one - other)[5] ?? Infinity
      assert.ok(median < 250, `median ${median} ms; polling alone would take about a second`)
      await until(async () => (await jobsLeft()) === 0)
    })

    it('listens by and by where it could not at its start', async () => {
      let attempts = 0
      const queue: RindleContext['queue'] = {
        ...ctx.queue,
        async listen(wake) {
          attempts += 1
          if (attempts < 3) throw new RindleError('database_unavailable', { operation: 'listen' })
          return ctx.queue.listen(wake)
        },
      }
      const clock = { ...ctx.clock, sleep: (ms: number, signal?: AbortSignal) => ctx.clock.sleep(ms === 30_000 ? 10 : ms, signal) }
      const worker = runWorker(
        { ...ctx, queue, clock },
        tableOf(async () => undefined),
      )
      workers.push(worker)
      await until(() => lines.some(({ fields }) => 'event' in fields && fields.event === 'worker_listens'))
      assert.equal(attempts, 3)
      assert.equal(lines.filter(({ fields }) => 'event' in fields && fields.event === 'worker_polls').length, 1)
    })

    it('finds by polling what nobody told it of', async () => {
      const done: string[] = []
      start(tableOf(async (_, id) => void done.push(id)))
      await pause(200)
      await enqueue([{ name: 'settle_slots', id: 'silent' }], false)
      await enqueue([{ name: 'settle_slots', id: 'delayed', delaySeconds: 1 }])
      await until(() => done.length === 2, 6)
    })

    it('works a backlog off without waiting for the next poll, never more at once than is allowed', async () => {
      let atOnce = 0
      let most = 0
      const done = new Set<string>()
      const jobs = Array.from({ length: 200 }, (_, number) => ({
        name: (number % 2 ? 'promote_asset' : 'build_variants') as JobName,
        id: `b-${number}`,
      }))
      await enqueue(jobs, false)
      const began = performance.now()
      start(
        tableOf(async (_, id) => {
          atOnce += 1
          most = Math.max(most, atOnce)
          await pause(1)
          atOnce -= 1
          done.add(id)
        }),
        { concurrency: 4 },
      )
      await until(() => done.size === 200, 30)
      assert.equal(most, 4)
      assert.ok(performance.now() - began < 15_000)
      await until(async () => (await jobsLeft()) === 0)
    })

    it('ends the job of a handler that throws, says so, and goes on', async () => {
      const done: string[] = []
      start(
        tableOf(async (_, id) => {
          if (id === 'bad') throw new RindleError('object_not_found', {})
          done.push(id)
        }),
      )
      await enqueue([
        { name: 'purge_asset', id: 'bad' },
        { name: 'purge_asset', id: 'good' },
      ])
      await until(() => done.includes('good'))
      await until(async () => (await jobsLeft()) === 0)
      const failure = lines.find(({ fields }) => 'event' in fields && fields.event === 'job_failed')
      assert.equal(failure?.level, 'error')
      assert.deepEqual(
        { job: 'purge_asset', id: 'bad' },
        { job: Reflect.get(failure.fields, 'job'), id: Reflect.get(failure.fields, 'id') },
      )
    })

    it('does a job that was enqueued twice at once only once', async () => {
      const done: string[] = []
      await enqueue([
        { name: 'settle_slots', id: 'twin' },
        { name: 'settle_slots', id: 'twin' },
      ])
      start(tableOf(async (_, id) => void done.push(id)))
      await until(async () => (await jobsLeft()) === 0)
      assert.deepEqual(done, ['twin'])
    })

    it('waits when it is stopped for what runs, and takes nothing new', async () => {
      const done: string[] = []
      const worker = start(
        tableOf(async (_, id, { signal }) => {
          await pause(400)
          done.push(`${id} ${signal.aborted}`)
        }),
        { concurrency: 1 },
      )
      await enqueue([{ name: 'promote_asset', id: 'one' }])
      await until(() => worker.health().running['promote_asset'] === 1)
      const stopping = worker.stop()
      await enqueue([{ name: 'promote_asset', id: 'two' }])
      await stopping
      assert.deepEqual(done, ['one false'])
      assert.equal(await jobsLeft(), 1)
      assert.deepEqual(lines, [])
    })

    it('tells what runs too long to give back', async () => {
      let gaveBack = false
      const worker = start(
        tableOf(
          (_, __, { signal }) =>
            new Promise((resolve) =>
              signal.addEventListener('abort', () => {
                gaveBack = true
                resolve(null)
              }),
            ),
        ),
      )
      await enqueue([{ name: 'build_variants', id: 'long' }])
      await until(() => worker.health().running['build_variants'] === 1)
      await worker.stop({ graceMs: 100 })
      assert.equal(gaveBack, true)
      assert.equal(await jobsLeft(), 0)
    })

    it('says how it is: what runs, when it last looked, who sweeps', async () => {
      const one = start(tableOf(async () => undefined))
      await until(() => one.health().lastLookAt !== null)
      await until(() => one.health().sweeping, 8)
      assert.deepEqual(one.health().failing, [])
      const two = start(tableOf(async () => undefined))
      await until(() => two.health().lastLookAt !== null)
      assert.equal(two.health().sweeping, false)
    })

    it('survives a database that is gone for a while, and does then what it was not told of', async () => {
      let gone = false
      const done: string[] = []
      const flaky = createQueue({ database: ctx.db })
      await flaky.open()
      const away: RindleContext = {
        ...ctx,
        telemetry: createTelemetry(),
        queue: {
          ...flaky,
          fetch: async (name, limit) => {
            if (gone) throw new RindleError('database_unavailable', { operation: 'fetch' })
            return flaky.fetch(name, limit)
          },
        },
      }
      const worker = start(
        tableOf(async (_, id) => void done.push(id)),
        {},
        away,
      )
      await until(() => worker.health().lastLookAt !== null)
      gone = true
      await enqueue([{ name: 'promote_asset', id: 'meanwhile' }])
      await until(() => worker.health().failing.includes('job'))
      gone = false
      await until(() => done.includes('meanwhile'))
      await until(() => worker.health().failing.length === 0)
      assert.deepEqual(
        lines.map(({ fields }) => Reflect.get(fields, 'event')),
        ['worker_trouble', 'worker_recovered'],
      )
      await worker.stop()
    })

    if (engine.concurrent) {
      it('survives that its database ends every session and takes no connection for a while', async () => {
        const done: string[] = []
        const worker = start(tableOf(async (_, id) => void done.push(id)))
        await until(() => worker.health().lastLookAt !== null)
        const here = new URL(database.place)
        const name = here.pathname.slice(1)
        const elsewhere = new URL('/postgres', here)
        elsewhere.username = 'postgres'
        await enqueue([{ name: 'promote_asset', id: 'meanwhile', delaySeconds: 1 }])
        await administer(
          elsewhere.href,
          `alter database ${name} allow_connections false`,
          `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}'`,
        )
        await until(() => worker.health().failing.length === 3)
        await administer(elsewhere.href, `alter database ${name} allow_connections true`)
        await until(() => done.includes('meanwhile') && worker.health().failing.length === 0, 20)
        await enqueue([{ name: 'settle_slots', id: 'afterwards' }])
        await until(() => done.includes('afterwards'))
        assert.ok(lines.every(({ level }) => level === 'warn'))
      })
    }

    it('fails when it cannot go on, and says so to whoever asks', async () => {
      const closed: RindleContext = {
        ...ctx,
        queue: {
          ...ctx.queue,
          fetch: async () => {
            throw new RindleError('rindle_closed', {})
          },
        },
      }
      const worker = start(
        tableOf(async () => undefined),
        {},
        closed,
      )
      await assert.rejects(worker.failed, (err: unknown) => isRindleError(err) && err.code === 'worker_failed')
    })
  })
}

describe('the folder for jobs', () => {
  it('is rid of what killed workers left there an hour ago, and of nothing else', async () => {
    const scratchFolder = mkdtempSync(join(tmpdir(), 'rindle-scratch-'))
    const old = new Date(Date.now() - 2 * 3_600_000)
    const job = (digit: number) => `rindle-01a2048f-8bfb-757a-bd06-65b6dd671ae${digit}`
    const [dead, busy, fresh, receiving, decoding] = [job(1), job(2), job(3), job(4), job(5)]
    const [left, waiting, probe] = ['rindle-decoder-aB3xYz', 'rindle-decoder-000000', 'rindle-now-aB3xYz']
    for (const name of [dead, busy, 'rindle-elses', fresh, receiving, decoding, left, waiting, probe]) {
      mkdirSync(join(scratchFolder, name, 'made'), { recursive: true })
      writeFileSync(join(scratchFolder, name, 'made', 'file'), 'bytes')
      for (const path of [join(name, 'made', 'file'), join(name, 'made'), name]) {
        if (name === fresh || ((name === busy || name === decoding) && path.endsWith('file'))) continue
        utimesSync(join(scratchFolder, path), old, old)
      }
    }
    rmdirSync(mkdtempSync(join(scratchFolder, waiting, 'now-')))
    const beside = [`${fresh}.received`, `${receiving}.received`, `${decoding}.received`]
    for (const name of [`${dead}.received`, `${dead}.original`, ...beside]) {
      writeFileSync(join(scratchFolder, name), 'bytes')
      if (name.startsWith(dead) || name.startsWith(decoding)) utimesSync(join(scratchFolder, name), old, old)
    }
    await clearScratch({ host: { scratchFolder } })
    assert.deepEqual(readdirSync(scratchFolder).sort(), [busy, fresh, receiving, decoding, waiting, ...beside, 'rindle-elses'].sort())
    rmSync(scratchFolder, { recursive: true })
  })

  it('says of a file that stays why it does', { skip: process.geteuid?.() === 0 ? false : 'needs root' }, async () => {
    const scratchFolder = mkdtempSync(join(tmpdir(), 'rindle-scratch-'))
    const old = new Date(Date.now() - 2 * 3_600_000)
    const [folder, file] = ['rindle-01a2048f-8bfb-757a-bd06-65b6dd671ae1', 'rindle-01a2048f-8bfb-757a-bd06-65b6dd671ae2.received']
    mkdirSync(join(scratchFolder, folder))
    writeFileSync(join(scratchFolder, folder, 'file'), 'bytes')
    writeFileSync(join(scratchFolder, file), 'bytes')
    for (const name of [join(folder, 'file'), folder, file]) utimesSync(join(scratchFolder, name), old, old)
    // As in /tmp: everybody may write, and remove what is their own.
    chmodSync(scratchFolder, 0o1777)
    const said: object[] = []
    const logger = { ...silentLogger, warn: (fields: object) => void said.push(fields) }
    process.seteuid?.(65_534)
    try {
      await clearScratch({ host: { scratchFolder }, logger })
    } finally {
      process.seteuid?.(0)
    }
    assert.deepEqual(
      said
        .map((fields) => [Reflect.get(fields, 'event'), Reflect.get(fields, 'path'), Reflect.get(Reflect.get(fields, 'err'), 'code')])
        .sort(),
      [
        ['leftovers_kept', join(scratchFolder, folder), 'EPERM'],
        ['leftovers_kept', join(scratchFolder, file), 'EPERM'],
      ],
    )
    rmSync(scratchFolder, { recursive: true })
  })
})
