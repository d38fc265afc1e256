import { createHash, randomBytes } from 'node:crypto'
import { cpSync, existsSync, renameSync, rmSync } from 'node:fs'
import pg from 'pg'
import { queueMigrations } from '../../src/adapters/queue/install.ts'
import { grantTo, migrate, printMigrations } from '../../src/database/migrate.ts'
import { type GivenDatabase, openDatabase } from '../../src/database/open.ts'
import { pglite } from '../../src/pglite.ts'
import { initialisedDirectory, pgliteFolder } from './pglite.ts'
import { createDatabase, hasPostgres, type PostgresServer, startPostgres } from './postgres.ts'

/** One kind of database that every journey runs on. */
export type Engine = {
  readonly name: string
  /** For `describe(…, { skip })`: false, or why it cannot run here. */
  readonly skip: false | string
  /** True where several connections, and several processes, can work at once. */
  readonly concurrent: boolean
  /** A database of its own, migrated (unless asked otherwise) and empty. Once per file: `empty()` between tests. */
  open(options?: { migrated?: boolean }): Promise<EngineDatabase>
}

export type EngineDatabase = {
  /** For `createRindle({ database })` or `openDatabase`. */
  readonly given: GivenDatabase
  /** The URL or the directory, for another process to open. */
  readonly place: string
  /** Looks at rows as the owner of the schemas, whatever role `given` has. */
  query(text: string, values?: readonly unknown[]): Promise<Record<string, unknown>[]>
  /** Removes every row of ours and every job. */
  empty(): Promise<void>
  /** Removes the database. Close what uses it before. */
  close(): Promise<void>
}

/** The role of the third engine: it may read and write rows and owns nothing. */
export const runtimeRole = 'rindle_runtime'

const withoutServer = hasPostgres() ? false : 'PostgreSQL is not installed'
const wanted = process.env['RINDLE_TEST_ENGINES']?.split(',')

/** Every journey: `for (const engine of engines) describe(\`… on ${engine.name}\`, { skip: engine.skip }, …)`. */
export const engines: readonly Engine[] = all().filter(({ name }) => !wanted || wanted.includes(name))

function all(): Engine[] {
  return [
    { name: 'pglite', skip: false, concurrent: false, open: openPglite },
    { name: 'postgres', skip: withoutServer, concurrent: true, open: (options) => openPostgres('postgres', options) },
    { name: 'postgres-runtime-role', skip: withoutServer, concurrent: true, open: (options) => openPostgres(runtimeRole, options) },
  ]
}

async function openPglite(options: { migrated?: boolean } = {}): Promise<EngineDatabase> {
  const template = options.migrated === false ? await initialisedDirectory() : await migratedDirectory()
  const { dataDir, remove } = await pgliteFolder(template)
  const ours = pglite(dataDir)
  const query: EngineDatabase['query'] = async (text, values) =>
    (await ours.query<Record<string, unknown>>(text, values && [...values])).rows
  return {
    given: pglite(dataDir),
    place: dataDir,
    query,
    empty: () => empty(query),
    async close() {
      await ours.close()
      remove()
    },
  }
}

async function openPostgres(role: string, options: { migrated?: boolean } = {}): Promise<EngineDatabase> {
  const server = await startPostgres()
  const template = await migratedTemplate(server)
  const database = await createDatabase(server, options.migrated === false ? {} : { template })
  const pool = new pg.Pool({ connectionString: database.url, max: 2 })
  pool.on('error', () => {})
  const query: EngineDatabase['query'] = async (text, values) => (await pool.query(text, values && [...values])).rows
  const place = database.urlAs(role)
  return {
    given: place,
    place,
    query,
    empty: () => empty(query),
    async close() {
      await pool.end()
      await database.drop()
      await server.stop()
    },
  }
}

async function empty(query: EngineDatabase['query']): Promise<void> {
  const tables = await query(
    `select string_agg(format('%I.%I', schemaname, tablename), ', ') as names
       from pg_tables where schemaname = 'rindle' and tablename <> 'schema_versions'`,
  )
  await query(`truncate ${String(tables[0]?.['names'])} restart identity cascade`)
  await query('delete from rindle_queue.job')
}

/** A PGlite directory with all migrations in it, made once per version of them. */
async function migratedDirectory(): Promise<string> {
  const initialised = await initialisedDirectory()
  const directory = `${initialised}-${await schemaDigest()}`
  if (existsSync(directory)) return directory
  const draft = `${directory}.${randomBytes(4).toString('hex')}`
  cpSync(initialised, draft, { recursive: true })
  await migrateHere(pglite(draft))
  rmSync(`${draft}.pid`, { force: true })
  try {
    renameSync(draft, directory)
  } catch (error) {
    rmSync(draft, { recursive: true, force: true })
    if (!existsSync(directory)) throw error
  }
  return directory
}

/** A database of the server with all migrations and the runtime role's grants in it, made by the first test file that asks. */
async function migratedTemplate(server: Pick<PostgresServer, 'url'>): Promise<string> {
  const name = `rindle_template_${await schemaDigest()}`
  const client = new pg.Client({ connectionString: server.url })
  await client.connect()
  try {
    await client.query('select pg_advisory_lock(7)')
    const { rows } = await client.query('select 1 from pg_database where datname = $1', [name])
    if (rows.length > 0) return name
    const { rows: roles } = await client.query('select 1 from pg_roles where rolname = $1', [runtimeRole])
    if (roles.length === 0) await client.query(`create role ${runtimeRole} login`)
    const draft = await createDatabase(server)
    await migrateHere(draft.url, runtimeRole)
    await client.query(`alter database ${new URL(draft.url).pathname.slice(1)} rename to ${name}`)
    return name
  } finally {
    await client.end()
  }
}

async function migrateHere(given: GivenDatabase, role?: string): Promise<void> {
  const db = openDatabase(given)
  await db.open()
  await migrate(db, { queue: queueMigrations })
  if (role) await grantTo(db, role, { queue: queueMigrations })
  await db.close()
}

async function schemaDigest(): Promise<string> {
  return createHash('sha256')
    .update(await printMigrations({ queue: queueMigrations }))
    .digest('hex')
    .slice(0, 8)
}
