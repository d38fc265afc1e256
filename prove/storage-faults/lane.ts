import { AsyncLocalStorage } from 'node:async_hooks'
import { mkdirSync } from 'node:fs'
import { inspect } from 'node:util'
import sharp from 'sharp'
import { guardedStore } from '../../src/adapters/storage/object-store.ts'
import { s3 } from '../../src/adapters/storage/s3.ts'
import { jsonLogger } from '../../src/adapters/telemetry/logger.ts'
import { contextOf, type RindleContext } from '../../src/context.ts'
import { image } from '../../src/core/image-recipe.ts'
import type { Logger } from '../../src/core/ports/logger.ts'
import type { Jail } from '../../src/core/ports/jail.ts'
import type { StorageAdapter } from '../../src/core/ports/storage.ts'
import { defineProfile } from '../../src/core/profile-definition.ts'
import { createTestRindle } from '../../src/rindle.ts'
import { createSettableClock, type SettableClock } from '../../src/testing/clock.ts'
import type { Engine, EngineDatabase } from '../../test/services/engines.ts'
import type { TestBucket } from '../../test/services/bucket.ts'
import type { Random } from '../harness.ts'
import { rowReader } from '../rows.ts'
import type { Fault } from './faults.ts'
import { openProxy, type Proxy } from './proxy.ts'

/** One app with a database and a folder of the bucket of its own, whose storage goes wrong when told to. */
export interface Lane {
  readonly rindle: ReturnType<typeof rindleOn>
  readonly ctx: RindleContext
  readonly database: EngineDatabase
  readonly clock: SettableClock
  readonly random: Random
  readonly proxy: Proxy
  /** Every line that was logged, in every form. */
  readonly logged: string[]
  /** A picture of some hundred kilobytes; never the same. */
  picture(): Promise<Buffer<ArrayBuffer>>
  /** Null puts everything right. */
  suffer(fault: Fault | null): void
  rows(): Promise<string>
  one(text: string, ...values: unknown[]): Promise<Record<string, unknown>>
  close(): Promise<void>
}

export interface LaneOptions {
  readonly name: string
  readonly engine: Engine
  readonly folder: string
  readonly bucket: TestBucket
  readonly jail: Jail
  readonly random: Random
}

const patientMs = 20_000

export const openFaultyLane = async ({ name, engine, folder, bucket, jail, random }: LaneOptions): Promise<Lane> => {
  mkdirSync(folder, { recursive: true })
  const [database, proxy] = await Promise.all([engine.open(), openProxy(bucket.endpoint)])
  const { bucket: bucketName, endpoint, region, credentials } = bucket
  const right = { bucket: bucketName, endpoint, region, credentials, prefix: name, publicEndpoint: endpoint }
  const storage = switchable(guardedStore(s3(right)))
  const clock = createSettableClock(new Date())
  const logged: string[] = []
  const rindle = rindleOn(database, { storage: storage.adapter, folder, jail, clock, logger: listening(logged) })
  await rindle.ready()
  const readRows = await rowReader(database, ['rindle', 'rindle_queue'])
  return {
    ...{ rindle, database, clock, random, proxy, logged, ctx: contextOf(rindle), rows: readRows },
    picture: () => pictureOf(random),
    suffer(fault) {
      proxy.behave(fault?.behaviour ?? {})
      if (!fault) return storage.use(null)
      const broken = s3({
        ...right,
        endpoint: proxy.endpoint,
        ...fault.settings?.(bucket),
        timeouts: { silenceMs: fault.timeoutMs ?? patientMs },
      })
      storage.use(guardedStore(skewed(broken, fault.skewMs ?? 0), timeoutsOf(fault.timeoutMs ?? patientMs)))
    },
    async one(text, ...values) {
      const [row] = await database.query(text, values)
      return row ?? {}
    },
    async close() {
      await rindle.close()
      await database.close()
      await proxy.close()
    },
  }
}

const timeoutsOf = (ms: number) => ({
  putMs: ms,
  headMs: ms,
  readMs: ms,
  copyMs: ms,
  deleteMs: ms,
  listMs: ms,
  partsMs: ms,
  completeMs: ms,
  graceMs: 200,
})

const rindleOn = (
  database: EngineDatabase,
  options: { storage: StorageAdapter; folder: string; jail: Jail; clock: SettableClock; logger: Logger },
) => {
  const { storage, folder, jail, clock, logger } = options
  const limits = { storage, maxBytes: 2_000_000 }
  return createTestRindle(
    {
      database: database.given,
      secrets: ['a secret of the proof that is long enough'],
      scratchFolder: folder,
      logger,
      profiles: {
        photo: defineProfile({ ...limits, allowMime: ['image/png'], variants: { thumb: image({ width: 64, format: 'webp' }) } }),
        paper: defineProfile({ ...limits, kind: 'file', allowMime: ['application/pdf'] }),
      },
    },
    // One jail serves every lane, and is closed after the last.
    { clock, databaseClock: clock.database, jail: { ...jail, close: async () => {} } },
  )
}

const pictureOf = async (random: Random): Promise<Buffer<ArrayBuffer>> => {
  const [width, height] = [200, 160]
  const bytes = await sharp(Buffer.from(random.bytes(width * height * 3)), { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer()
  return Buffer.from(bytes)
}

/** Keeps what an app would read: as it inspects, and as the lines that the worker writes. */
const listening = (lines: string[]): Logger => {
  const written = jsonLogger(
    (line) => void lines.push(line),
    () => new Date(),
  )
  const inspected = (fields: object, message: string): void => void lines.push(`${message} ${inspect(fields, { depth: 20 })}`)
  const both = (fields: object, message: string): void => {
    inspected(fields, message)
    written.error(fields, message)
  }
  return { debug: inspected, info: inspected, warn: both, error: both }
}

/** One store for the library, whatever it is made of at the moment. */
const switchable = (right: ReturnType<typeof guardedStore>) => {
  let now = right
  const adapter: StorageAdapter = {
    id: right.id,
    capabilities: right.capabilities,
    put: (...given) => now.put(...given),
    head: (...given) => now.head(...given),
    read: (...given) => now.read(...given),
    copy: (...given) => now.copy(...given),
    delete: (...given) => now.delete(...given),
    list: (...given) => now.list(...given),
    signPut: (...given) => now.signPut(...given),
    signGet: (...given) => now.signGet(...given),
    publicUrl: (key) => now.publicUrl(key),
    multipart: {
      limits: right.multipart.limits,
      create: (...given) => now.multipart.create(...given),
      signPart: (...given) => now.multipart.signPart(...given),
      listParts: (...given) => now.multipart.listParts(...given),
      complete: (...given) => now.multipart.complete(...given),
      abort: (...given) => now.multipart.abort(...given),
      list: (...given) => now.multipart.list(...given),
    },
  }
  return { adapter, use: (other: typeof right | null) => void (now = other ?? right) }
}

const skews = new AsyncLocalStorage<number>()

/** Lets `Date.now` be wrong for whoever runs inside a skewed adapter, and right for everybody else. */
export const withSkewedClocks = async <T>(run: () => Promise<T>): Promise<T> => {
  const rightNow = Date.now
  Date.now = () => rightNow() + (skews.getStore() ?? 0)
  try {
    return await run()
  } finally {
    Date.now = rightNow
  }
}

const skewed = (adapter: StorageAdapter, skewMs: number): StorageAdapter => {
  if (skewMs === 0) return adapter
  const at = <T>(run: () => T): T => skews.run(skewMs, run)
  async function* each<T>(items: AsyncIterable<T>): AsyncGenerator<T> {
    const iterator = items[Symbol.asyncIterator]()
    for (;;) {
      const { done, value } = await at(() => iterator.next())
      if (done) return
      yield value
    }
  }
  const { multipart } = adapter
  return {
    ...adapter,
    put: (...given) => at(() => adapter.put(...given)),
    head: (...given) => at(() => adapter.head(...given)),
    read: (...given) => at(() => adapter.read(...given)),
    copy: (...given) => at(() => adapter.copy(...given)),
    delete: (...given) => at(() => adapter.delete(...given)),
    list: (...given) => each(adapter.list(...given)),
    ...(multipart
      ? {
          multipart: {
            ...multipart,
            create: (...given) => at(() => multipart.create(...given)),
            listParts: (...given) => at(() => multipart.listParts(...given)),
            complete: (...given) => at(() => multipart.complete(...given)),
            abort: (...given) => at(() => multipart.abort(...given)),
            list: (...given) => each(multipart.list(...given)),
          },
        }
      : {}),
  }
}
