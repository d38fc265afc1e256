import { AsyncLocalStorage } from 'node:async_hooks'
import pg from 'pg'
import { contextOf, type RindleContext } from '../../src/context.ts'
import type { JobName } from '../../src/core/jobs.ts'
import type { Jail } from '../../src/core/ports/jail.ts'
import type { Logger } from '../../src/core/ports/logger.ts'
import type { Queue } from '../../src/core/ports/queue.ts'
import type { StorageAdapter } from '../../src/core/ports/storage.ts'
import type { Carrier, Executor } from '../../src/database/carriers/carrier.ts'
import { jobs } from '../../src/doors/worker/jobs.ts'
import { runWorker } from '../../src/doors/worker/worker.ts'
import { createSettableClock, type SettableClock } from '../../src/testing/clock.ts'
import type { Random } from '../harness.ts'
import type { Witness } from '../judge.ts'
import { type App, openApp } from './app.ts'
import type { FastTime } from './time.ts'

/** Shares of steps, from 0 to 1. A step is one call to a port: to storage, to the jail or to the database. */
export interface Shares {
  /** Of the steps of jobs: the process ends there, before the call or after it. */
  readonly killed: number
  /** Of the steps of jobs: the process stands still, before the call or after it, until its leases have run out. */
  readonly asleep: number
}

export interface SimulatedProcessOptions {
  readonly name: string
  readonly url: string
  readonly connections: number
  readonly time: FastTime
  readonly random: Random
  readonly shares: Shares
  /** How often a job that is enqueued is handed out; 0 for never. */
  readonly deliveries: (name: JobName) => number
  readonly leaseSeconds: number
  readonly scratchFolder: string
  readonly storages: { readonly strict: StorageAdapter; readonly heedless: StorageAdapter }
  readonly jail: Jail
  /** Sees what the app is asked and answers. */
  readonly witness: Pick<Witness, 'watch'>
  readonly logger: Logger
}

export interface ProcessState {
  dead: boolean
  slept: number
  /** Of those times in which it made something of a film. */
  sleptOverFilms: number
}

/** One process, as far as one can be had within another: what it does is nobody's any more when it is killed. */
export interface SimulatedProcess {
  readonly app: App
  readonly ctx: RindleContext
  readonly pool: pg.Pool
  readonly clock: SettableClock
  readonly state: ProcessState
  /** Takes jobs until the process is killed. */
  work(concurrency: number): void
  /** Resolves when it was killed. */
  readonly ended: Promise<void>
  kill(): Promise<void>
}

/** What is made of films, and of nothing else. */
export const filmJobs: readonly JobName[] = ['make_poster', 'transcode_asset']

const never = (): Promise<never> => new Promise(() => undefined)

/** Opens a process of the storm: its own connections, its own clock, its own luck. */
export const startSimulatedProcess = async (options: SimulatedProcessOptions): Promise<SimulatedProcess> => {
  const { name, url, time, random, shares, leaseSeconds } = options
  const clock = createSettableClock(time.now())
  const inJob = new AsyncLocalStorage<JobName>()
  const state: ProcessState = { dead: false, slept: 0, sleptOverFilms: 0 }
  const { promise: ended, resolve: end } = Promise.withResolvers<void>()
  const pool = new pg.Pool({ connectionString: url, application_name: name, max: options.connections })
  pool.on('error', () => undefined)
  let waking: Promise<void> | null = null
  let carrier: Carrier | null = null

  const goOn = time.follow((seconds) => {
    if (!waking) clock.advance(seconds)
  })
  const kill = async (): Promise<void> => {
    if (state.dead) return
    state.dead = true
    goOn()
    end()
    await carrier?.close()
    await endSessions(url, name)
  }
  const sleep = (seconds: number, job: JobName): void => {
    state.slept += 1
    if (filmJobs.includes(job)) state.sleptOverFilms += 1
    const since = time.seconds()
    waking ??= new Promise((wake) => {
      const stop = time.follow(() => {
        const passed = time.seconds() - since
        if (passed < seconds) return
        stop()
        waking = null
        if (!state.dead) clock.advance(passed)
        wake()
      })
    })
  }
  const awake = async (): Promise<void> => {
    while (waking) await waking
    if (state.dead) await never()
  }
  const misfortune = (share: number): void => {
    const job = inJob.getStore()
    if (!job || state.dead) return
    if (random.chance(shares.killed * share)) void kill().catch(() => undefined)
    else if (random.chance(shares.asleep * share)) sleep(leaseSeconds * (1.05 + random.next()), job)
  }
  const step: Step = async (run) => {
    await awake()
    misfortune(0.5)
    await awake()
    const [outcome] = await Promise.allSettled([run()])
    misfortune(0.5)
    await awake()
    if (outcome.status === 'rejected') throw outcome.reason
    return outcome.value
  }

  const opened = openApp({
    database: pool,
    scratchFolder: options.scratchFolder,
    logger: options.logger,
    leaseSeconds,
    storages: { strict: steppedStorage(options.storages.strict, step), heedless: steppedStorage(options.storages.heedless, step) },
    overrides: {
      clock,
      databaseClock: time.database,
      host: { scratchFolder: options.scratchFolder, workerName: name, freeBytes: () => Infinity, ephemeral: null },
      jail: { ...options.jail, visit: (visit) => step(() => options.jail.visit(visit)) },
      carrier: (given) => steppedCarrier((carrier = given), step, awake),
      queue: (queue) => unreliableQueue(queue, options.deliveries),
    },
  })
  const app = options.witness.watch(opened)
  await app.ready()
  const ctx = contextOf(app)
  return {
    ...{ app, ctx, pool, clock, state, ended, kill },
    work(concurrency) {
      const table = jobs.map((job) => ({
        ...job,
        run: (...given: Parameters<typeof job.run>) => inJob.run(job.name, () => job.run(...given)),
      }))
      const worker = runWorker(ctx, table, { concurrency })
      worker.failed.catch((err: unknown) => {
        if (!state.dead) options.logger.error({ event: 'worker_failed', err }, 'A worker that was not killed cannot go on.')
      })
    },
  }
}

type Step = <T>(run: () => Promise<T>) => Promise<T>

/** What the operating system does for a process that is gone: its connections end, and with them what they had not committed. */
const endSessions = async (url: string, name: string): Promise<void> => {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => undefined)
  await client.connect()
  try {
    for (let looks = 0; looks < 50; looks += 1) {
      const { rows } = await client.query('select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1', [name])
      if (rows.length === 0 && looks > 1) return
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  } finally {
    await client.end()
  }
}

const steppedCarrier = (carrier: Carrier, step: Step, awake: () => Promise<void>): Carrier => {
  const over = (executor: Executor): Executor => ({
    ...executor,
    execute: (text, values) => step(() => executor.execute(text, values)),
  })
  return {
    ...carrier,
    execute: (text, values) => step(() => carrier.execute(text, values)),
    transaction: (run, lockFirst) => step(() => carrier.transaction((executor) => run(over(executor)), lockFirst)),
    listen: (channel, hear) => carrier.listen(channel, (payload) => void awake().then(() => hear(payload))),
  }
}

const steppedStorage = (adapter: StorageAdapter, step: Step): StorageAdapter => {
  const { multipart } = adapter
  return {
    ...adapter,
    put: (key, body, options) => step(() => adapter.put(key, body, options)),
    head: (key, options) => step(() => adapter.head(key, options)),
    read: (key, options) => step(() => adapter.read(key, options)),
    copy: (from, to, options) => step(() => adapter.copy(from, to, options)),
    delete: (key, options) => step(() => adapter.delete(key, options)),
    ...(multipart
      ? {
          multipart: {
            ...multipart,
            create: (key, options) => step(() => multipart.create(key, options)),
            listParts: (key, id, options) => step(() => multipart.listParts(key, id, options)),
            complete: (key, id, parts, options) => step(() => multipart.complete(key, id, parts, options)),
            abort: (key, id, options) => step(() => multipart.abort(key, id, options)),
          },
        }
      : {}),
  }
}

const unreliableQueue = (queue: Queue, deliveries: SimulatedProcessOptions['deliveries']): Queue => ({
  ...queue,
  insertion: (given) => queue.insertion(given.flatMap((job) => Array.from({ length: deliveries(job.name) }, () => job))),
})
