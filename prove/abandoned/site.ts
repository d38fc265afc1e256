import { mkdirSync } from 'node:fs'
import { ListMultipartUploadsCommand, ListObjectsV2Command } from '@aws-sdk/client-s3'
import { s3 } from '../../src/adapters/storage/s3.ts'
import { createStores } from '../../src/adapters/storage/stores.ts'
import { contextOf, type RindleContext } from '../../src/context.ts'
import type { StorageAdapter } from '../../src/core/ports/storage.ts'
import { defineProfile } from '../../src/core/profile-definition.ts'
import { createTestRindle } from '../../src/rindle.ts'
import { type ClientAnswer, type ClientRequest, sendByFetch } from '../../src/testing/client-request.ts'
import { createSettableClock, type SettableClock } from '../../src/testing/clock.ts'
import { type BucketHonours, createMemoryBucket } from '../../src/testing/memory-bucket.ts'
import { createTestWorker, type TestWorker } from '../../src/testing/test-worker.ts'
import { createPlainJail } from '../../test/journeys/fixtures/plain-jail.ts'
import type { Engine, EngineDatabase } from '../../test/services/engines.ts'
import { openBucket, type TestBucket } from '../../test/services/bucket.ts'
import type { Random } from '../harness.ts'
import { type Ending, vanishing } from './vanishing.ts'
import { silentLogger } from '../../src/adapters/telemetry/logger.ts'

/** A bucket as the library sees it, as clients do, and as it is. */
export interface Ground {
  readonly adapter: StorageAdapter
  readonly send: (request: ClientRequest) => Promise<ClientAnswer>
  /** How large a part but the last must be, and what a body of unknown length needs to be sent in parts. */
  readonly partBytes: number
  readonly streamBytes: number
  /** What is in it, past the adapter: uploads in parts, and keys. */
  contents(): Promise<{ readonly uploads: readonly string[]; readonly keys: readonly string[] }>
  /** Lets something land that was sent long ago. */
  landOne(random: Random): void
  close(): Promise<void>
}

/** A bucket in memory: some of what is sent to it lands late, and some of what it is told fails. */
export const memoryGround = (options: {
  readonly clock: SettableClock
  readonly random: Random
  readonly honours: Partial<BucketHonours>
}): Ground => {
  const { clock, random, honours } = options
  const { adapter, send, late } = createMemoryBucket({
    ...{ name: 'abandoned', clock, honours, limits: { minPartBytes: 64, maxPartBytes: 4_096, maxParts: 100 } },
    landing: ({ operation }) => {
      if (operation === 'send') return random.chance(0.15) ? 'late' : 'now'
      if (operation === 'abort' || operation === 'delete') return random.chance(0.1) ? random.pick(['late', 'never', 'unseen']) : 'now'
      return 'now'
    },
  })
  const listed = async <T>(list: AsyncIterable<T> | undefined, name: (one: T) => string): Promise<string[]> => {
    const names: string[] = []
    for await (const one of list ?? []) names.push(name(one))
    return names
  }
  return {
    ...{ adapter, send, partBytes: 100, streamBytes: 300, close: async () => {} },
    contents: async () => ({
      uploads: await listed(adapter.multipart?.list(''), ({ key }) => key),
      keys: await listed(adapter.list(''), ({ key }) => key),
    }),
    landOne: () => void (late.length > 0 && random.pick(late).land()),
  }
}

const mebibyte = 1024 * 1024

/** A folder of a real bucket. */
export const gatewayGround = async (): Promise<Ground & { readonly bucket: TestBucket }> => {
  const bucket = await openBucket()
  const { endpoint, region, credentials, client, bucket: Bucket } = bucket
  return {
    ...{ bucket, send: sendByFetch, partBytes: 5 * mebibyte, streamBytes: 17 * mebibyte },
    adapter: s3({ bucket: Bucket, endpoint, region, credentials }),
    async contents() {
      const uploads = await client.send(new ListMultipartUploadsCommand({ Bucket }))
      const objects = await client.send(new ListObjectsV2Command({ Bucket }))
      return {
        uploads: (uploads.Uploads ?? []).map(({ Key }) => String(Key)),
        keys: (objects.Contents ?? []).map(({ Key }) => String(Key)),
      }
    },
    landOne: () => undefined,
    close: () => bucket.close(),
  }
}

/** An app with a database and a bucket of its own, and a worker that works when it is told to. */
export interface Site {
  readonly ctx: RindleContext
  readonly clock: SettableClock
  readonly worker: TestWorker
  readonly database: EngineDatabase
  readonly ground: Ground
  /** Requests whose tickets are out, for whoever wants to use them late. */
  readonly tickets: ClientRequest[]
  /**
   * The app in a process that is gone when it comes to `ending`: from there on it does nothing, renews nothing and hears nothing.
   * `gone` resolves then.
   */
  victim(ending: Ending | null): { readonly ctx: RindleContext; readonly gone: Promise<void>; vanish(): void }
  close(): Promise<void>
}

export const secret = 'a secret of the proof that is long enough'
export const filmOf = (storage: StorageAdapter) => defineProfile({ storage, allowMime: ['image/png'], maxBytes: 100 * mebibyte })

/** Longer than the proof: what a process that is gone has begun does not end by itself. */
const never = 2_000_000_000
const timeouts = { putMs: never, headMs: never, readMs: never, copyMs: never, deleteMs: never, partsMs: never, completeMs: never }

export const openSite = async (options: {
  readonly engine: Engine
  readonly folder: string
  readonly clock: SettableClock
  readonly ground: Ground
}): Promise<Site> => {
  const { engine, folder, clock, ground } = options
  mkdirSync(folder, { recursive: true })
  const database = await engine.open()
  const profiles = { film: filmOf(ground.adapter) }
  const rindle = createTestRindle(
    { database: database.given, secrets: [secret], scratchFolder: folder, profiles, logger: silentLogger },
    { clock, databaseClock: clock.database, jail: createPlainJail() },
  )
  await rindle.ready()
  const ctx = contextOf(rindle)
  return {
    ...{ ctx, clock, worker: createTestWorker(rindle, clock), database, ground, tickets: [] },
    victim(ending) {
      const { promise: gone, resolve: vanish } = Promise.withResolvers<void>()
      const storage = vanishing(ground.adapter, ending, vanish)
      const stores = createStores({ profiles: { film: { storage } }, timeouts })
      return { ctx: { ...ctx, stores, clock: createSettableClock(clock.now()) }, gone, vanish }
    },
    async close() {
      await rindle.close()
      await database.close()
      await ground.close()
    },
  }
}
