import { sql } from 'kysely'
import { RindleError } from '../core/errors.ts'
import type { Executor } from './carriers/carrier.ts'
import type { Database, Queryable } from './database.ts'
import { latestVersion, migrations } from './migrations/index.ts'
import { executorOf } from './queryable.ts'
import { splitStatements } from './split-statements.ts'
import { SqlError } from './sql-error.ts'

/** The queue's part of the schema, which belongs to the queue's adapter. */
export interface QueueMigrations {
  /** The script that brings it to what this version needs, for the transaction of `db`; null when nothing is missing. */
  installation(db: Queryable): Promise<string | null>
  /** The script that creates it from nothing, for people who run DDL by hand. */
  print(): Promise<string>
  /** What a role that owns nothing needs of it. `role` is quoted. */
  grants(role: string): string
}

export interface MigrationReport {
  readonly applied: readonly { readonly number: number; readonly name: string }[]
  /** The queue's schema was created or upgraded. */
  readonly queueInstalled: boolean
  readonly version: number
}

/** Any number will do that no other program uses. */
const advisoryLock = 7_246_353_461

const versionsTable = `create schema if not exists rindle;
create table if not exists rindle.schema_versions (
  version integer primary key,
  applied_at timestamptz not null
);`

/**
 * Brings both schemas, ours and the queue's, to what this version needs. Forward only; each migration in a transaction of its own, and
 * of several callers one at a time. Does nothing when there is nothing to do.
 *
 * @throws RindleError `schema_version_mismatch` when the database is newer than the code.
 */
export async function migrate(db: Database, options: { readonly queue?: QueueMigrations } = {}): Promise<MigrationReport> {
  const applied: { number: number; name: string }[] = []
  const found = await schemaVersion(db.pool)
  if (found > latestVersion) throw mismatch(found)
  for (const { number, name, sql: text } of migrations) {
    if (number > found && (await applyOne(db, number, text))) applied.push({ number, name })
  }
  const { queue } = options
  const owed = queue && (await queue.installation(db.pool)) !== null
  if (owed) {
    await locked(db, async (executor, tx) => {
      const text = await queue.installation(tx)
      if (text !== null) await script(executor, text)
    })
  }
  return { applied, queueInstalled: owed ?? false, version: latestVersion }
}

/** False when another caller was first. */
const applyOne = (db: Database, number: number, text: string): Promise<boolean> =>
  locked(db, async (executor) => {
    await script(executor, versionsTable)
    const { rows } = await executor.execute('select max(version)::integer as version from rindle.schema_versions', [])
    if (Number(rows[0]?.['version'] ?? 0) >= number) return false
    await script(executor, text)
    await executor.execute('insert into rindle.schema_versions (version, applied_at) values ($1::integer, now())', [number])
    return true
  })

/** Everything that `migrate` runs on an empty database, as one script. */
export async function printMigrations(options: { readonly queue?: QueueMigrations } = {}): Promise<string> {
  const ours = migrations.map(
    ({ number, name, sql: text }) =>
      `-- ${number} ${name}\n${text.trim()}\ninsert into rindle.schema_versions (version, applied_at) values (${number}, now());\n`,
  )
  const parts = ['begin;', versionsTable, ...ours, 'commit;']
  if (options.queue) parts.push('-- the queue', (await options.queue.print()).trim())
  return `${parts.join('\n\n')}\n`
}

/** @throws RindleError `schema_version_mismatch` when the schema is older or newer than the code, or not there. */
export async function checkSchemaVersion(db: Queryable): Promise<void> {
  const version = await schemaVersion(db)
  if (version !== latestVersion) throw mismatch(version)
}

/** The number of the last migration; 0 when there is none. */
export async function schemaVersion(db: Queryable): Promise<number> {
  try {
    const { rows } = await sql<{ version: number | null }>`select max(version)::integer as version from rindle.schema_versions`.execute(db)
    return rows[0]?.version ?? 0
  } catch (err) {
    if (err instanceof SqlError && (err.code === '42P01' || err.code === '3F000')) return 0
    throw err
  }
}

/** What `role` needs at run time, and nothing else: it may then do everything but `migrate`. For the schemas as they are now. */
export const grantsFor = (role: string, options: { readonly queue?: QueueMigrations } = {}): string => {
  const to = quoted(role)
  const ours = `grant usage on schema rindle to ${to};
grant select, insert, update, delete on all tables in schema rindle to ${to};
revoke insert, update, delete on rindle.schema_versions from ${to};
grant usage, select on all sequences in schema rindle to ${to};
grant execute on all functions in schema rindle to ${to};`
  return options.queue ? `${ours}\n${options.queue.grants(to)}` : ours
}

/** Lets `role` run everything but `migrate`. @throws RindleError `argument_invalid` when there is no such role. */
export async function grantTo(db: Database, role: string, options: { readonly queue?: QueueMigrations } = {}): Promise<void> {
  try {
    await db.script(grantsFor(role, options))
  } catch (err) {
    if (!(err instanceof SqlError) || err.code !== '42704') throw err
    throw new RindleError(
      'argument_invalid',
      { argument: 'role', problem: `the database has no role ${role}; create it first` },
      { cause: err },
    )
  }
}

/** Reading any table makes the connection notice what others created while it waited; asking for a name alone does not. */
const reading = 'select nspname from pg_catalog.pg_namespace limit 1'

const locked = <T>(db: Database, run: (executor: Executor, tx: Queryable) => Promise<T>): Promise<T> =>
  db.transaction(async (tx) => {
    const executor = executorOf(tx)
    await executor.execute('select pg_advisory_xact_lock($1::bigint)::text as locked', [advisoryLock])
    await executor.execute(reading, [])
    return run(executor, tx)
  })

const script = async (executor: Executor, text: string): Promise<void> => {
  if (executor.script) return executor.script(text)
  for (const statement of splitStatements(text)) await executor.execute(statement, [])
}

const mismatch = (found: number): RindleError =>
  new RindleError('schema_version_mismatch', {
    found: found === 0 ? 'not there' : `at version ${found}`,
    expected: `version ${latestVersion}`,
    ...(found > latestVersion ? { newer: true } : {}),
  })

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`
