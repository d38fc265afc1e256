import { mkdirSync } from 'node:fs'
import { inspect } from 'node:util'
import pg from 'pg'
import { contextOf, type RindleContext } from '../../src/context.ts'
import type { Clock, DatabaseClock } from '../../src/core/clock.ts'
import type { Facts, Jail } from '../../src/core/ports/jail.ts'
import type { Logger } from '../../src/core/ports/logger.ts'
import type { Queue } from '../../src/core/ports/queue.ts'
import type { StorageAdapter } from '../../src/core/ports/storage.ts'
import type { Carrier } from '../../src/database/carriers/carrier.ts'
import type { GivenDatabase } from '../../src/database/open.ts'
import { createSettableClock, type SettableClock } from '../../src/testing/clock.ts'
import { createMemoryBucket, type LandingHook, type MemoryBucket } from '../../src/testing/memory-bucket.ts'
import type { Engine, EngineDatabase } from '../../test/services/engines.ts'
import { createPlainJail } from '../../test/journeys/fixtures/plain-jail.ts'
import { openScenarioApp, type ScenarioRindle } from './app.ts'
import { type Patience, createPatience } from './patience.ts'

/** What a proof puts before the ports of the app while one scenario is played. */
export interface Trouble {
  readonly storage?: (adapter: StorageAdapter) => StorageAdapter
  readonly carrier?: (carrier: Carrier) => Carrier
  readonly queue?: (queue: Queue) => Queue
  readonly jail?: (jail: Jail) => Jail
  readonly clocks?: (clock: SettableClock) => { readonly clock: Clock; readonly databaseClock: DatabaseClock }
  /** Of what clients send. */
  readonly landing?: LandingHook
}

/** One app with a database and a bucket of its own, in which one playing follows another. */
export interface Stage {
  readonly rindle: ScenarioRindle
  readonly ctx: RindleContext
  readonly database: EngineDatabase
  readonly clock: SettableClock
  readonly patience: Patience
  /** The bucket of this playing, as it is. */
  bucket(): MemoryBucket
  /** Begins anew: nothing in database and bucket, and this trouble before the ports. */
  begin(trouble: Trouble): Promise<void>
  /** Takes the trouble away. */
  calm(): void
  /** Runs `run` in a transaction of the app's own. */
  transaction<T>(end: 'commit' | 'rollback', run: (tx: object) => Promise<T>): Promise<T>
  another(): ScenarioRindle
  close(): Promise<void>
}

export interface StageOptions {
  readonly engine: Engine
  readonly folder: string
  /** Every line of it. Default: nobody listens. */
  readonly logger?: Logger
  readonly secrets?: readonly string[]
  /** What the app says to the database's server, which believes anybody here. */
  readonly password?: string
}

export const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} }

/** Small, so that a few bytes are an upload in parts. */
const limits = { minPartBytes: 64, maxPartBytes: 4096, maxParts: 100 }

export const openStage = async ({ engine, folder, logger = silent, secrets, password }: StageOptions): Promise<Stage> => {
  mkdirSync(folder, { recursive: true })
  const database = await engine.open()
  const clock = createSettableClock()
  const patience = createPatience(clock)
  const jail = switchable(decoding())
  const clocks = { clock: switchable<Clock>(clock), database: switchable<DatabaseClock>(clock.database) }
  const decider: { landing: LandingHook } = { landing: () => 'now' }
  const newBucket = () => createMemoryBucket({ clock, limits, landing: (call) => decider.landing(call) })
  let bucket = newBucket()
  const storage = switchable(bucket.adapter)
  const carriers: { real: Carrier; port: Switchable<Carrier> }[] = []
  const queues: { real: Queue; port: Switchable<Queue> }[] = []

  const open = () =>
    openScenarioApp({
      ...{ database: password ? withPassword(database, password) : database.given, storage: storage.port, scratchFolder: folder, logger },
      ...(secrets ? { secrets } : {}),
      overrides: {
        clock: clocks.clock.port,
        databaseClock: clocks.database.port,
        jail: jail.port,
        carrier: (given) => {
          const real = patience.attended(given)
          const port = switchable(real)
          carriers.push({ real, port })
          return port.port
        },
        queue: (real) => {
          const port = switchable(real)
          queues.push({ real, port })
          return port.port
        },
      },
    })
  const rindle = open()
  await rindle.ready()
  const ctx = contextOf(rindle)
  const app = engine.concurrent ? new pg.Pool({ connectionString: database.place, max: 4 }) : null
  app?.on('error', () => undefined)

  const use = (trouble: Trouble): void => {
    const moved = trouble.clocks?.(clock)
    clocks.clock.use(moved?.clock ?? clock)
    clocks.database.use(moved?.databaseClock ?? clock.database)
    storage.use(trouble.storage?.(bucket.adapter) ?? bucket.adapter)
    for (const { real, port } of carriers) port.use(trouble.carrier?.(real) ?? real)
    for (const { real, port } of queues) port.use(trouble.queue?.(real) ?? real)
    const plain = decoding()
    jail.use(trouble.jail?.(plain) ?? plain)
    decider.landing = trouble.landing ?? (() => 'now')
  }
  return {
    ...{ rindle, ctx, database, clock, patience },
    bucket: () => bucket,
    async begin(trouble) {
      use({})
      await empty(database)
      bucket = newBucket()
      for (const list of [carriers, queues]) list.length = 1
      use(trouble)
    },
    calm: () => use({}),
    transaction: (end, run) => (app ? onPool(app, end, run) : onPglite(database, end, run)),
    another: open,
    async close() {
      use({})
      await rindle.close()
      await app?.end()
      await database.close()
    },
  }
}

const withPassword = ({ given, place }: EngineDatabase, password: string): GivenDatabase => {
  if (typeof given !== 'string') return given
  const address = new URL(place)
  address.password = password
  return address.href
}

/** Nothing is decoded; what has 0x99 where a place would stand is served without it, and what need not be a picture is text. */
export const decoding = (): Jail => {
  const plain = createPlainJail()
  plain.rewrite = (bytes) => {
    if (bytes[placeAt] !== placeMark) return { bytes, changed: [] }
    const without = Buffer.from(bytes)
    without[placeAt] = 0
    return { bytes: without, changed: [{ start: placeAt, end: placeAt + 1 }] }
  }
  return {
    ...plain,
    async visit(visit) {
      if (visit.profileKind === 'media') return plain.visit(visit)
      visit.signal?.throwIfAborted()
      return { verdict: 'pass', facts: text, rewritten: null, variants: [], figures: { gateCpuMs: 0, cpuMs: 0 } }
    },
  }
}

const text: Facts = {
  ...{ kind: 'file', contentType: 'text/plain', extension: 'txt', placeholder: null, dominantColor: null },
  ...{ width: null, height: null, frames: null, hasAlpha: null, durationMs: null, hasVideoTrack: null, hasAudioTrack: null },
}

export const placeAt = 20
export const placeMark = 0x99

interface Switchable<T> {
  readonly port: T
  use(next: T): void
}

/** Something that stands for whichever of its kind is used now. */
const switchable = <T extends object>(first: T): Switchable<T> => {
  let current = first
  const port = new Proxy(first, {
    get: (_, name) => Reflect.get(current, name) as unknown,
    has: (_, name) => Reflect.has(current, name),
  })
  return { port, use: (next) => void (current = next) }
}

/** All at once, since tables point at each other; quicker than truncating, which waits for the disk. */
const empty = async (database: EngineDatabase): Promise<void> => {
  await database.query(
    `with a as (delete from rindle.media_attachments), b as (delete from rindle.media_processing_runs), c as (delete from rindle.media_variants),
          d as (delete from rindle.media_objects), e as (delete from rindle.media_upload_sessions), f as (delete from rindle.media_assets),
          g as (delete from rindle.state_moves), h as (delete from rindle.leases)
     delete from rindle_queue.job`,
  )
}

const onPool = async <T>(pool: pg.Pool, end: 'commit' | 'rollback', run: (tx: object) => Promise<T>): Promise<T> => {
  const tx = await pool.connect()
  try {
    await tx.query('begin')
    const result = await run(tx)
    await tx.query(end)
    return result
  } catch (err) {
    await tx.query('rollback')
    throw err
  } finally {
    tx.release()
  }
}

interface Pglite {
  transaction<T>(run: (tx: { rollback(): Promise<void> }) => Promise<T>): Promise<T>
}

const onPglite = async <T>({ given }: EngineDatabase, end: 'commit' | 'rollback', run: (tx: object) => Promise<T>): Promise<T> =>
  (given as Pglite).transaction(async (tx) => {
    const result = await run(tx)
    if (end === 'rollback') await tx.rollback()
    return result
  })

/** An error for people, with all that it hides. */
export const told = (err: unknown): string => inspect(err, { depth: 6 })
