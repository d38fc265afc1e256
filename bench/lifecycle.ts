import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { queueMigrations } from '../src/adapters/queue/install.ts'
import { migrate } from '../src/database/migrate.ts'
import { openDatabase } from '../src/database/open.ts'
import { createDatabase, type PostgresServer, startPostgres, type TestDatabase } from '../test/services/postgres.ts'
import { type Bench, cpuMsOfTree } from './harness.ts'
import { type LifecycleSide, openOurs } from './lifecycle/ours.ts'
import { openReference } from './lifecycle/reference.ts'
import { countRows, type Rows } from './lifecycle/rows.ts'
import { atOnce, makeVariants } from './lifecycle/workload.ts'

const warmUp = 160
const perRound = 480
/** The reference takes several times as long for each. */
const perRoundOfReference = 96

/**
 * Whole lives of files per second: one statement an event, against one statement a row change. Both sides leave the same rows, which is
 * checked column by column before anything is measured, touch storage by the same steps and notify workers after the commit. The jobs'
 * rows are written; taking them is the same work on both sides, so nobody does.
 *
 * Two cores are busy all the time, so CPU decides. Two thirds of ours is the server's: an eighth of that begins the plans, a tenth reads
 * and answers the client, a twelfth reads CHECK constraints anew for each table that a statement writes, a twentieth each are looks at
 * foreign keys and commits; the rest, which is most, are rows, their indexes and pg-boss's insert with its twelve indexes. Without history,
 * CHECK constraints, foreign keys and jobs, all of which are promised, our side takes a quarter of the CPU that the reference takes with
 * all of them (5.6 ms and 21.7 ms on a busy machine, 7.7 ms with them): so even that would not be five times.
 *
 * What was tried on our side. Kept, with their share of the CPU of a lifecycle: buffers as large as the file that is read instead of 256 kB,
 * 7 ms of 20 (the collector); the scratch folder in memory, 15 % more lifecycles; rows returned as json instead of jsonb, 6 % of the
 * server's time; plans made after an analyze, since those for empty tables scan; texts of statements written once and then only run with
 * other values, 25 to 30 % of this process's time; rows found by keys alone, since plans made while no upload was open read all assets to
 * sign one, and single rows without a join, and each step's outcome asked for once instead of counted and then listed, together 18 % of the
 * server's time; scratch folders made and removed without the thread pool, 5 % of this process's; a transaction begun and its slot locked by
 * one message, and no index on the history of an asset, which nothing reads, 4 % of this process's and 2 % of the server's.
 *
 * Left, since they gave nothing: jit off, synchronous_commit off, wal_level minimal, more shared buffers, a fill factor of 60. Left, since
 * they give less than they take: state lists in one constant (2 %), no partial indexes on due_at and state, so that updates stay on their
 * page (3 %), one select of history per path (1 %). A socket of the machine's own helps the reference more, which sends
 * eight times as many messages (2.8 times by CPU instead of 3.0).
 */
export const lifecycle: Bench = {
  name: 'lifecycle',
  means:
    'whole lifecycles a second on PostgreSQL with 8 clients (opened, signed, verified, through the gate with 3 variants, attached; storage in memory, nothing decoded), against the same rows by one unprepared statement a row change',
  rounds: 7,
  comparisons: [
    { metric: 'lifecyclesPerSecond', reference: 'a statement a row', goal: '>=5' },
    { metric: 'cpuMs', reference: 'a statement a row', goal: null },
  ],
  async prepare(context) {
    const folder = existsSync('/dev/shm') ? mkdtempSync('/dev/shm/rindle-bench-') : mkdtempSync(join(context.folder, 'scratch-'))
    const server = await startPostgres({ own: true })
    const variants = await makeVariants(folder)
    const ours = await openSide(server, (url) => openOurs(url, variants, folder))
    const reference = await openSide(server, (url) => openReference(url, variants, folder))
    const close = async () => {
      await ours.close()
      await reference.close()
      await server.stop()
      rmSync(folder, { recursive: true, force: true })
    }
    try {
      const difference = differenceOf(await ours.warm(), await reference.warm())
      if (difference.length > 0) throw new Error(`the two sides do not write the same rows:\n${difference.join('\n')}`)
    } catch (error) {
      await close()
      throw error
    }
    return { sides: { ours: () => ours.measure(perRound), 'a statement a row': () => reference.measure(perRoundOfReference) }, close }
  },
}

async function openSide(server: PostgresServer, open: (url: string) => Promise<LifecycleSide>) {
  const database = await createDatabase(server)
  await migrateIt(database)
  const side = await open(database.url)
  let done = 0
  const run = (count: number) => atOnce(count, () => side.lifecycle(done++))
  return {
    async warm(): Promise<Rows> {
      await run(warmUp)
      const pool = new pg.Pool({ connectionString: database.url, max: 1 })
      const rows = await countRows(pool)
      // What autovacuum does for tables that have just grown, at a time of our choosing: plans made for empty ones are no measure.
      await pool.query('vacuum analyze')
      await pool.end()
      return rows
    },
    async measure(count: number) {
      const cpuMs = cpuMsOfTree()
      const lifecyclesPerSecond = await run(count)
      return { lifecyclesPerSecond, cpuMs: (cpuMsOfTree() - cpuMs) / count }
    },
    async close() {
      await side.close()
      await database.drop()
    },
  }
}

async function migrateIt(database: TestDatabase): Promise<void> {
  const db = openDatabase(database.url)
  await db.open()
  await migrate(db, { queue: queueMigrations })
  await db.close()
}

/** What one side wrote more often than the other. */
function differenceOf(ours: Rows, reference: Rows): string[] {
  const names = new Set([...Object.keys(ours), ...Object.keys(reference)])
  return [...names]
    .filter((name) => ours[name] !== reference[name])
    .map((name) => `${name}: ${ours[name] ?? 0} and ${reference[name] ?? 0}`)
}
