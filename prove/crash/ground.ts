import { existsSync, mkdirSync, readdirSync, statSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import type { StorageAdapter } from '../../src/core/ports/storage.ts'
import { openBucket } from '../../test/services/bucket.ts'
import type { EngineDatabase } from '../../test/services/engines.ts'
import { createDatabase, type RestartingServer } from '../../test/services/postgres.ts'
import { engineNamed } from '../database.ts'
import type { ProofContext } from '../harness.ts'
import { silentLogger as silent } from '../../src/adapters/telemetry/logger.ts'
import { adapterOf, openCrashApp, type StoreGiven, type Task } from './app.ts'
import { createFastTime, type FastTime } from './fast-time.ts'

/** What outlives everybody who dies: a database, a store, and time. */
export interface Ground {
  readonly task: Task
  readonly time: FastTime
  readonly database: Rows
  readonly adapter: StorageAdapter
  /** Puts the time of the queue forward by so many seconds. @returns the seconds in all. */
  putForward(seconds: number): Promise<number>
  /** When the next row is due; null when none ever is. */
  nextDue(): Promise<Date | null>
  /** Who works on a file, as far as the app knows: some of them may be dead. */
  atWork(): Promise<readonly string[]>
  /** What is due or lies about, for people. */
  left(): Promise<readonly string[]>
  /** Makes what jobs left in their folder older than an hour, for the workers, who go by the file system's own time. */
  age(): void
  close(): Promise<void>
}

export type Rows = Pick<EngineDatabase, 'query' | 'place' | 'close'>

export interface GroundOptions {
  readonly proof: ProofContext
  readonly name: string
  readonly store: 'local' | 's3'
  readonly jail: Task['jail']
  readonly factor: number
  /** A server of its own, that can be killed. Default: that of the run. */
  readonly server?: RestartingServer
}

export const openGround = async ({ proof, name, store, jail, factor, server }: GroundOptions): Promise<Ground> => {
  const database = server ? await openOn(server) : await engineNamed('postgres').open()
  const { given, close } = await openStore(proof, name, store)
  const scratchFolder = folderIn(proof, name, 'scratch')
  const words = folderIn(proof, name, 'words')
  const task: Task = { ...{ database: database.place, store: given, scratchFolder, folder: words, since: Date.now(), factor, jail } }
  const time = createFastTime(task)
  if (server) await migrated(task, time)
  await quicken(database, task)
  const adapter = adapterOf(given)
  let ahead = 0
  return {
    ...{ task, time, database, adapter },
    async putForward(seconds) {
      ahead += seconds
      time.putForward(ahead)
      await database.query('update public.fast_time set ahead = $1', [ahead])
      return ahead
    },
    async nextDue() {
      const [row] = await database.query(`select least(${dues.map((table) => `(select min(due_at) from ${table})`).join(', ')}) as at`)
      return row?.['at'] instanceof Date ? row['at'] : null
    },
    async atWork() {
      const rows = await database.query(`select distinct worker from rindle.media_processing_runs where state = 'processing'`)
      return rows.map(({ worker }) => String(worker))
    },
    async left() {
      const left = readdirSync(scratchFolder).filter((one) => one.startsWith('rindle-'))
      for await (const { key } of adapter.multipart?.list('') ?? []) left.push(`an upload in parts to ${key}`)
      return [...(await owedRows(database)), ...left]
    },
    age: () => age(scratchFolder),
    async close() {
      await close()
      await database.close()
    },
  }
}

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

const folderIn = (proof: ProofContext, name: string, what: string): string => {
  const folder = join(proof.folder, name, what)
  mkdirSync(folder, { recursive: true })
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

const age = (folder: string): void => {
  const before = Date.now() / 1000 - 7_200
  for (const name of readdirSync(folder, { recursive: true })) {
    const path = join(folder, String(name))
    if (existsSync(path) && statSync(path).isDirectory()) utimesSync(path, before, before)
    else if (existsSync(path)) utimesSync(path, before, before)
  }
}

const dues = ['assets', 'variants', 'upload_sessions', 'attachments', 'objects'].map((table) => `rindle.media_${table}`)

const owedRows = async (database: Rows): Promise<readonly string[]> => {
  const all = dues.map((table) => `select '${table}' as what, id, due_at from ${table} where due_at is not null`).join(' union all ')
  const rows = await database.query(`${all} order by due_at limit 6`)
  return rows.map(({ what, id, due_at }) => `${String(what)} ${String(id)} due ${due_at instanceof Date ? due_at.toISOString() : ''}`)
}
