import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import { createHandler } from '../src/doors/http/index.ts'
import { defineProfile, image } from '../src/index.ts'
import { pglite } from '../src/pglite.ts'
import type { RindleOptions } from '../src/rindle.ts'
import {
  createMemoryBucket,
  createSettableClock,
  createTestClient,
  createTestIds,
  createTestRindle,
  createTestWorker,
} from '../src/testing/index.ts'
import { createDatabase, startPostgres } from '../test/services/postgres.ts'
import { type Bench, type BenchContext, type BenchSides, cpuMsOfTree } from './harness.ts'

const warmUp = 8
const perRound = 12
const baseUrl = 'http://localhost/media'

/**
 * A test of a whole life, as the testing guide writes it, on the database that needs no server against the one that does. Decoders, storage
 * and worker are the same; what differs is who carries the statements.
 *
 * PGlite is one thread, so a machine that is busy makes it wait longer than a server of several processes: run it on one that is idle.
 *
 * What was tried, in pairs on a busy machine. Kept: one look at the names of the jobs that wait instead of a fetch for each name, 22 of 60
 * statements and 2.3 to 1.6 or 2.1 times, and names that were just done not asked for again but where time passes, six statements more.
 * Statements run by name from their second use on, as `pg` gets them: 0.58 of the CPU and 0.40 of the time of the same by PGlite's `query`,
 * which parses and plans every one anew; 29 statements, 2.3 MB of plans. What reads PGlite's types put together once, which `query` does for
 * every statement: 6 ms of the 55 in the profile; with both 0.52 of the CPU, and 1.0 to 1.1 times that of PostgreSQL.
 *
 * Left: no notification where nobody listens, 4 statements of 60, 1.00 and 1.02 times the CPU with them. Plans for any values from the first
 * use on (plan_cache_mode; 1 execution in 11 still plans for its own): 7 % less, but the session is the app's too, and its plans are its own.
 * What the profile shows now is the server itself, 13 ms of 32.
 */
export const testkit: Bench = {
  name: 'testkit',
  means:
    'a test of a whole life (uploaded by the client for tests, verified, through the gate with a thumbnail, fetched, purged; storage in memory, decoded in the jail) on PGlite in memory, against the same on PostgreSQL',
  rounds: 9,
  comparisons: [{ metric: 'ms', reference: 'postgres', goal: '<=1.5' }],
  prepare,
}

async function prepare({ folder }: BenchContext): Promise<BenchSides> {
  const jpeg = await sharp({ create: { width: 640, height: 480, channels: 3, background: 'teal' } })
    .jpeg()
    .toBuffer()
  const photo = new Uint8Array(jpeg)
  const server = await startPostgres({ own: true })
  const database = await createDatabase(server)
  const ours = await openSide(pglite('memory://'), photo, mkdtempSync(join(folder, 'scratch-')))
  const reference = await openSide(database.url, photo, mkdtempSync(join(folder, 'scratch-')))
  return {
    sides: { ours: ours.measure, postgres: reference.measure },
    async close() {
      await ours.close()
      await reference.close()
      await database.drop()
      await server.stop()
    },
  }
}

async function openSide(database: RindleOptions['database'], bytes: Uint8Array<ArrayBuffer>, scratchFolder: string) {
  const clock = createSettableClock()
  const bucket = createMemoryBucket({ clock })
  const thumb = image({ mode: 'fill', width: 128, height: 128 })
  const rindle = createTestRindle(
    {
      profiles: {
        photo: defineProfile({ storage: bucket.adapter, allowMime: ['image/jpeg'], maxBytes: 1_000_000, variants: { thumb } }),
      },
      ...{ database, scratchFolder, baseUrl },
      secrets: ['a secret of the benchmark, thirty-two bytes and more'],
    },
    { clock, databaseClock: clock.database, ids: createTestIds() },
  )
  await rindle.migrate()
  const handler = createHandler(rindle, { identify: () => ({ type: 'User', id: 1 }), authorize: () => true })
  const worker = createTestWorker(rindle, clock)
  const client = createTestClient({ handler, baseUrl, send: bucket.send, meanwhile: () => worker.work() })

  const lifecycle = async (): Promise<void> => {
    const { id } = await client.upload('photo', { filename: 'ada.jpg', bytes })
    const { variants } = await client.settled(id)
    const { status } = await client.fetch(variants['thumb']?.url ?? '')
    await rindle.purge(id)
    await worker.work()
    if (status !== 200 || (await rindle.asset(id)) !== null) throw new Error(`the life of ${id} did not end as it should`)
  }
  for (let count = 0; count < warmUp; count += 1) await lifecycle()
  return {
    async measure() {
      const [cpuMs, began] = [cpuMsOfTree(), performance.now()]
      for (let count = 0; count < perRound; count += 1) await lifecycle()
      return { ms: (performance.now() - began) / perRound, cpuMs: (cpuMsOfTree() - cpuMs) / perRound }
    },
    close: () => rindle.close(),
  }
}
