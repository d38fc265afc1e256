import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { createJail } from '../../src/adapters/processing/jail.ts'
import { clamav } from '../../src/adapters/scanners/clamav.ts'
import { local } from '../../src/adapters/storage/local.ts'
import { contextOf, type RindleContext } from '../../src/context.ts'
import { image } from '../../src/core/image-recipe.ts'
import type { Scanner } from '../../src/core/ports/scanner.ts'
import type { StorageAdapter } from '../../src/core/ports/storage.ts'
import { defineProfile } from '../../src/core/profile-definition.ts'
import { createTestRindle } from '../../src/rindle.ts'
import { createSettableClock, type SettableClock } from '../../src/testing/clock.ts'
import { createMemoryBucket } from '../../src/testing/memory-bucket.ts'
import { type Clamd, eicar } from '../../test/services/clamd.ts'
import type { Engine, EngineDatabase } from '../../test/services/engines.ts'
import { type ClientAnswer, type ClientRequest, sendByFetch } from '../../src/testing/client-request.ts'
import { silentLogger } from '../../src/adapters/telemetry/logger.ts'

/** An app with the same three profiles over every kind of storage. */
export interface House {
  readonly rindle: ReturnType<typeof rindleOn>
  readonly ctx: RindleContext
  readonly clock: SettableClock | null
  readonly database: EngineDatabase
  send(store: string, request: ClientRequest): Promise<ClientAnswer>
  close(): Promise<void>
}

export interface HouseOptions {
  readonly engine: Engine
  readonly folder: string
  readonly clamd: Clamd | null
  /** A bucket on a real server; then time is the machine's. */
  readonly gateway: StorageAdapter | null
}

/** Finds the test file of all scanners anywhere. */
const searcher: Scanner = {
  name: 'searcher',
  async scan(file) {
    const bytes = Buffer.from(await new Response(file.stream()).arrayBuffer())
    return bytes.includes(eicar) ? { clean: false, threat: 'Eicar' } : { clean: true }
  },
}

const pictures = ['image/jpeg', 'image/png', 'image/webp', 'image/gif', 'image/avif', 'image/tiff', 'image/heic']
const recordings = ['video/mp4', 'video/quicktime', 'video/webm', 'audio/mpeg', 'audio/mp4', 'audio/ogg', 'audio/wav', 'audio/flac']

const profilesOn = (storage: StorageAdapter, name: string, clamd: Clamd | null) => {
  const scanners = [searcher, ...(clamd ? [clamav({ host: clamd.host, port: clamd.port })] : [])]
  const common = { storage, maxBytes: 20_000_000, scanners }
  const types = ['application/pdf', 'application/zip', 'text/plain', 'text/csv']
  return {
    [`photo-${name}`]: defineProfile({ ...common, allowMime: pictures, variants: { thumb: image({ width: 40 }) } }),
    [`film-${name}`]: defineProfile({ ...common, allowMime: recordings, maxDurationSeconds: 60 }),
    [`paper-${name}`]: defineProfile({ ...common, kind: 'file', allowMime: types }),
  }
}

const rindleOn = (
  database: EngineDatabase,
  folder: string,
  stores: Readonly<Record<string, StorageAdapter>>,
  clamd: Clamd | null,
  clock: SettableClock | null,
) =>
  createTestRindle(
    {
      database: database.given,
      secrets: ['a secret of the proof that is long enough'],
      baseUrl: 'http://localhost:1/media',
      scratchFolder: folder,
      logger: silentLogger,
      profiles: Object.assign({}, ...Object.entries(stores).map(([name, storage]) => profilesOn(storage, name, clamd))),
    },
    { jail: createJail({ logger: silentLogger, concurrency: 2 }), ...(clock ? { clock, databaseClock: clock.database } : {}) },
  )

export const openHouse = async ({ engine, folder, clamd, gateway }: HouseOptions): Promise<House> => {
  const scratch = join(folder, 'scratch')
  mkdirSync(scratch, { recursive: true })
  const database = await engine.open()
  const clock = gateway ? null : createSettableClock()
  const bucket = clock && createMemoryBucket({ name: 'gate', clock, limits: { minPartBytes: 1, maxPartBytes: 50_000_000, maxParts: 100 } })
  const disk = local({ directory: join(folder, 'objects') })
  const stores: Record<string, StorageAdapter> = gateway ? { gateway } : { disk, ...(bucket ? { bucket: bucket.adapter } : {}) }
  const rindle = rindleOn(database, scratch, stores, clamd, clock)
  await rindle.ready()
  return {
    ...{ rindle, clock, database },
    ctx: contextOf(rindle),
    send: (_store, request) => (bucket ? bucket.send(request) : sendByFetch(request)),
    async close() {
      await rindle.close()
      await database.close()
    },
  }
}
