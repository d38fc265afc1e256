import { existsSync, mkdirSync, readdirSync, statSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import { contextOf } from '../../src/context.ts'
import { checkInvariants } from '../../src/flows/ops/check-invariants.ts'
import { openBucket } from '../../test/services/bucket.ts'
import type { EngineDatabase } from '../../test/services/engines.ts'
import { createDatabase, type RestartingServer } from '../../test/services/postgres.ts'
import { engineNamed } from '../database.ts'
import type { ProofContext } from '../harness.ts'
import { holdAgainstRows } from '../scenarios/end.ts'
import { told } from '../scenarios/stage.ts'
import { adapterOf, openCrashApp, type StoreGiven, type Task } from './app.ts'
import type { Word } from './child.ts'
import { openPost, type Post } from './crew.ts'
import { createFastTime, type FastTime } from './fast-time.ts'
import { deathOf } from './passing.ts'
import type { Tally } from './tally.ts'

/** One app: a database, a store, a worker and a web process, which die and are followed by others. */
export interface Lane {
  /** Lets them die, about so many times and for so long at most; then brings it all to rest and judges what is left. */
  batch(deaths: number, withinMs: number): Promise<void>
  /** Has the server of the database die so often while the app and its workers live on; then the same. */
  outages(times: number, withinMs: number): Promise<number>
  close(): Promise<void>
}

export interface LaneOptions {
  readonly proof: ProofContext
  readonly name: string
  readonly store: 'local' | 's3'
  readonly jail: Task['jail']
  readonly tally: Tally
  readonly cacheFolder: string
  readonly factor: number
  /** A server of its own, that can be killed. Default: that of the run. */
  readonly server?: RestartingServer
}

/** Who does not come by for so long is told other points. */
const armAgainMs = 4_000
const playOutMs = 20_000
const nightMs = 120_000
const goOnMs = 40_000
const deathsOfNight = 30
const stepMs = 100

export const openLane = async ({ proof, name, store, jail, tally, cacheFolder, factor, server }: LaneOptions): Promise<Lane> => {
  const { signal } = proof
  const database = server ? await openOn(server) : await engineNamed('postgres').open()
  const ground = await openStore(proof, name, store)
  const folder = folderIn(proof, name, 'words')
  const scratchFolder = folderIn(proof, name, 'scratch')
  const since = Date.now()
  const task: Task = { ...{ database: database.place, store: ground.given, scratchFolder, folder, since, factor, jail } }
  const time = createFastTime(task)
  if (server) await migrated(task, time)
  await quicken(database, task)
  let ahead = 0
  let died = 0
  let diedBefore = 0
  let played = 0
  const acknowledged = new Set<string>()
  let lastDeath = performance.now()
  const breach = (text: string): void => proof.breach(`${name}: ${text}`)
  const post = (kind: 'worker' | 'web'): Post =>
    openPost({
      ...{ kind, task, cacheFolder, signal, breach, spare: !server },
      died(point) {
        died += 1
        lastDeath = performance.now()
        tally.hit(point)
      },
      heard(word: Word) {
        if (word.word === 'seen') tally.seen(word.point)
        if (word.word !== 'played') return
        tally.played(word.name, word.how)
        played += 1
        for (const id of word.ids) acknowledged.add(id)
      },
    })
  const posts = { worker: post('worker'), web: post('web') }
  const both = [posts.worker, posts.web]
  const deathFor = (kind: 'worker' | 'web') => () => deathOf(proof.random, tally.wanted(kind, store), tally.hits)
  const arm = (): void => {
    posts.worker.arm(deathFor('worker'))
    posts.web.arm(deathFor('web'))
  }
  const putForward = async (seconds: number): Promise<void> => {
    ahead += seconds
    time.putForward(ahead)
    for (const one of both) one.putForward(ahead)
    await database.query('update public.fast_time set ahead = $1', [ahead])
  }
  const day = async (deaths: number, withinMs: number): Promise<void> => {
    const [began, before] = [performance.now(), died]
    let armed = performance.now()
    arm()
    while (died - before < deaths && performance.now() - began < withinMs && tally.isWanting(store) && !signal.aborted) {
      await pause(50)
      if (performance.now() - Math.max(armed, lastDeath) < armAgainMs) continue
      armed = performance.now()
      arm()
    }
  }
  /** Until nothing is due but what is there for good, and two days more. */
  const night = async (withDeaths: boolean): Promise<void> => {
    const began = performance.now()
    const isLate = (): boolean => signal.aborted || performance.now() - began > nightMs
    while (!isLate()) {
      if (!withDeaths || died > diedBefore + deathsOfNight || performance.now() - began > nightMs / 4) posts.worker.arm(null)
      const next = await nextDue(database)
      if (next === null) break
      const seconds = (next.getTime() - time.clock.now().getTime()) / 1000
      if (seconds > 0) await putForward(Math.max(seconds + 1, 3_600))
      await pause(stepMs)
    }
    posts.worker.arm(null)
    for (let days = 0; days < 2; days += 1) {
      age(scratchFolder)
      await putForward(90_000)
      await pause(10 * stepMs)
      while (!isLate() && ((await nextDue(database)) !== null || (await leftovers()).length > 0)) await pause(stepMs)
    }
    if (!isLate()) return
    const owed = await owedRows(database)
    for (const text of [...owed, ...(await leftovers())])
      breach(`${nightMs / 1000} s after the last call of the app there is still ${text}`)
  }
  const leftovers = async (): Promise<readonly string[]> => {
    const left = readdirSync(scratchFolder).filter((one) => one.startsWith('rindle-'))
    for await (const { key } of adapterOf(task.store).multipart?.list('') ?? []) left.push(`an upload in parts to ${key}`)
    return left
  }
  const judge = async (): Promise<void> => {
    const rindle = openCrashApp(task, time, null, silent)
    try {
      await rindle.ready()
      await holdAgainstRows({ database, adapter: adapterOf(task.store) }, breach)
      const { findings, unanswered } = await checkInvariants(contextOf(rindle), { quiet: true, bytes: Infinity })
      for (const { invariant, entity, id, found } of findings) breach(`${invariant}: ${entity} ${id}: ${found}`)
      for (const { err } of unanswered) breach(`storage did not answer: ${told(err)}`)
    } finally {
      await rindle.close()
    }
    const forgotten = await database.query(unknownOf, [[...acknowledged]])
    for (const { id } of forgotten) breach(`${String(id)} was acknowledged, and there is no trace of it`)
    acknowledged.clear()
  }
  const outage = async (crash: () => Promise<void>): Promise<void> => {
    const before = played
    await pause(200 + proof.random.int(1_000))
    await crash()
    for (const began = performance.now(); played < before + 2 && performance.now() - began < goOnMs;) await pause(20)
    if (played === before) breach(`nobody came to an end with anything in ${goOnMs / 1000} s after the server came back`)
  }
  await posts.worker.begin()
  let nights = 0
  const whole = async (live: () => Promise<unknown>): Promise<void> => {
    const before = died
    await posts.web.begin()
    const began = performance.now()
    await live()
    posts.web.arm(null)
    await posts.web.rest(proof.size === 'ci' ? 2_000 : playOutMs)
    const dayMs = performance.now() - began
    diedBefore = died
    if (!server) posts.worker.arm(deathFor('worker'))
    await night(server === undefined)
    nights += 1
    const nightTookMs = performance.now() - began - dayMs
    await judge()
    const judgeMs = performance.now() - began - dayMs - nightTookMs
    proof.note(
      `${name}: batch ${nights}, ${died - before} died, ${[dayMs, nightTookMs, judgeMs].map((ms) => (ms / 1000).toFixed(1)).join(' + ')} s`,
    )
  }
  return {
    batch: (deaths, withinMs) => whole(() => day(deaths, withinMs)),
    async outages(times, withinMs) {
      let count = 0
      await whole(async () => {
        for (const began = performance.now(); server && count < times && performance.now() - began < withinMs; count += 1)
          await outage(server.crash)
      })
      return count
    },
    async close() {
      await Promise.all(both.map((one) => one.close()))
      await ground.close()
      await database.close()
    },
  }
}

type Rows = Pick<EngineDatabase, 'query' | 'place' | 'close'>

const openOn = async (server: RestartingServer): Promise<Rows> => {
  const database = await createDatabase(server)
  const pool = new pg.Pool({ connectionString: database.url, max: 2 })
  pool.on('error', () => undefined)
  return {
    place: database.url,
    query: async (text, values) => (await pool.query(text, values && [...values])).rows,
    async close() {
      await pool.end()
      await database.drop()
    },
  }
}

const migrated = async (task: Task, time: FastTime): Promise<void> => {
  const rindle = openCrashApp(task, time, null, silent)
  await rindle.migrate()
  await rindle.close()
}

/** Every row leaves its birth in the history, which is longer than a lane. */
const unknownOf = `select k.id from unnest($1::uuid[]) as k (id)
  where not exists (select from rindle.state_moves m where m.entity_id = k.id)`

const silent = { debug() {}, info() {}, warn() {}, error() {} }

const folderIn = (proof: ProofContext, name: string, what: string): string => {
  const folder = join(proof.folder, name, what)
  if (!existsSync(folder)) mkdirSync(folder, { recursive: true })
  return folder
}

const openStore = async (
  proof: ProofContext,
  name: string,
  kind: 'local' | 's3',
): Promise<{ readonly given: StoreGiven; close(): Promise<void> }> => {
  if (kind === 'local') return { given: { kind, directory: folderIn(proof, name, 'objects') }, close: async () => undefined }
  const { bucket, endpoint, region, credentials, close } = await openBucket()
  return { given: { kind, bucket, endpoint, region, credentials }, close }
}

/** Delayed jobs wait by fast time as well. */
const quicken = async (database: Rows, { since, factor }: Pick<Task, 'since' | 'factor'>): Promise<void> => {
  await database.query('create table public.fast_time (since timestamptz, ahead float8)')
  await database.query('insert into public.fast_time values ($1::timestamptz, 0)', [new Date(since)])
  await database.query(`create or replace function rindle_queue.job_now() returns timestamptz language sql stable as
    'select since + (clock_timestamp() - since) * ${factor} + make_interval(secs => ahead) from public.fast_time'`)
}

/** Files of more than an hour ago, for the workers, who go by the file system's own time. */
const age = (folder: string): void => {
  const before = Date.now() / 1000 - 7_200
  for (const name of readdirSync(folder, { recursive: true })) {
    const path = join(folder, String(name))
    if (existsSync(path) && statSync(path).isDirectory()) utimesSync(path, before, before)
    else if (existsSync(path)) utimesSync(path, before, before)
  }
}

const dues = ['assets', 'variants', 'upload_sessions', 'attachments', 'objects'].map((table) => `rindle.media_${table}`)

const nextDue = async (database: Rows): Promise<Date | null> => {
  const [row] = await database.query(`select least(${dues.map((table) => `(select min(due_at) from ${table})`).join(', ')}) as at`)
  return row?.['at'] instanceof Date ? row['at'] : null
}

const owedRows = async (database: Rows): Promise<readonly string[]> => {
  const all = dues.map((table) => `select '${table}' as what, id, due_at from ${table} where due_at is not null`).join(' union all ')
  const rows = await database.query(`${all} order by due_at limit 6`)
  return rows.map(({ what, id, due_at }) => `${String(what)} ${String(id)} due ${due_at instanceof Date ? due_at.toISOString() : ''}`)
}
