import { existsSync, mkdirSync, readdirSync, statSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { contextOf } from '../../src/context.ts'
import { checkInvariants } from '../../src/flows/ops/check-invariants.ts'
import { openBucket } from '../../test/services/bucket.ts'
import type { EngineDatabase } from '../../test/services/engines.ts'
import { engineNamed } from '../database.ts'
import type { ProofContext } from '../harness.ts'
import { holdAgainstRows } from '../scenarios/end.ts'
import { told } from '../scenarios/stage.ts'
import { adapterOf, openCrashApp, type StoreGiven, type Task } from './app.ts'
import type { Word } from './child.ts'
import { openPost, type Post } from './crew.ts'
import { createFastTime, factor } from './fast-time.ts'
import { deathOf } from './passing.ts'
import type { Tally } from './tally.ts'

/** One app: a database, a store, a worker and a web process, which die and are followed by others. */
export interface Lane {
  /** Lets them die, about so many times and for so long at most; then brings it all to rest and judges what is left. */
  batch(deaths: number, withinMs: number): Promise<void>
  close(): Promise<void>
}

export interface LaneOptions {
  readonly proof: ProofContext
  readonly name: string
  readonly store: 'local' | 's3'
  readonly jail: Task['jail']
  readonly tally: Tally
  readonly cacheFolder: string
}

/** Of what is wanted each process is told so many at once. */
const deathsAtOnce = 4
/** Who does not come by for so long is told other points. */
const armAgainMs = 4_000
const playOutMs = 20_000
const nightMs = 120_000
const deathsOfNight = 30
const stepMs = 100

export const openLane = async ({ proof, name, store, jail, tally, cacheFolder }: LaneOptions): Promise<Lane> => {
  const { signal } = proof
  const database = await engineNamed('postgres').open()
  const ground = await openStore(proof, name, store)
  const folder = folderIn(proof, name, 'words')
  const scratchFolder = folderIn(proof, name, 'scratch')
  const since = Date.now()
  const task: Task = { ...{ database: database.place, store: ground.given, scratchFolder, folder, since, jail } }
  await quicken(database, since)
  const time = createFastTime(since)
  let ahead = 0
  let died = 0
  let diedBefore = 0
  let lastDeath = performance.now()
  const breach = (text: string): void => proof.breach(`${name}: ${text}`)
  const post = (kind: 'worker' | 'web'): Post =>
    openPost({
      ...{ kind, task, cacheFolder, signal, breach },
      died(point) {
        died += 1
        lastDeath = performance.now()
        tally.hit(point)
      },
      heard(word: Word) {
        if (word.word === 'seen') tally.seen(word.point)
        if (word.word === 'played') tally.played(word.name, word.how)
      },
    })
  const posts = { worker: post('worker'), web: post('web') }
  const both = [posts.worker, posts.web]
  const deathFor = (kind: 'worker' | 'web') => () => deathOf(proof.random, tally.wanted(kind, store), deathsAtOnce)
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
    posts.web.arm(null)
    await posts.web.rest(proof.size === 'ci' ? 2_000 : playOutMs)
  }
  /** Until nothing is due but what is there for good, and two days more. */
  const night = async (): Promise<void> => {
    const began = performance.now()
    const isLate = (): boolean => signal.aborted || performance.now() - began > nightMs
    while (!isLate()) {
      if (died > diedBefore + deathsOfNight || performance.now() - began > nightMs / 4) posts.worker.arm(null)
      const next = await nextDue(database)
      if (next === null) break
      const seconds = (next.getTime() - time.clock.now().getTime()) / 1000
      if (seconds > 0) await putForward(Math.max(seconds + 1, 600))
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
  }
  await posts.worker.begin()
  let nights = 0
  return {
    async batch(deaths, withinMs) {
      const before = died
      await posts.web.begin()
      const began = performance.now()
      await day(deaths, withinMs)
      const dayMs = performance.now() - began
      diedBefore = died
      posts.worker.arm(deathFor('worker'))
      await night()
      nights += 1
      const nightTookMs = performance.now() - began - dayMs
      await judge()
      const judgeMs = performance.now() - began - dayMs - nightTookMs
      proof.note(
        `${name}: batch ${nights}, ${died - before} died, ${[dayMs, nightTookMs, judgeMs].map((ms) => (ms / 1000).toFixed(1)).join(' + ')} s`,
      )
    },
    async close() {
      await Promise.all(both.map((one) => one.close()))
      await ground.close()
      await database.close()
    },
  }
}

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
const quicken = async (database: EngineDatabase, since: number): Promise<void> => {
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

const nextDue = async (database: EngineDatabase): Promise<Date | null> => {
  const [row] = await database.query(`select least(${dues.map((table) => `(select min(due_at) from ${table})`).join(', ')}) as at`)
  return row?.['at'] instanceof Date ? row['at'] : null
}

const owedRows = async (database: EngineDatabase): Promise<readonly string[]> => {
  const all = dues.map((table) => `select '${table}' as what, id, due_at from ${table} where due_at is not null`).join(' union all ')
  const rows = await database.query(`${all} order by due_at limit 6`)
  return rows.map(({ what, id, due_at }) => `${String(what)} ${String(id)} due ${due_at instanceof Date ? due_at.toISOString() : ''}`)
}
