import { mkdirSync } from 'node:fs'
import pg from 'pg'
import { silentLogger } from '../../src/adapters/telemetry/logger.ts'
import { contextOf, type RindleContext } from '../../src/context.ts'
import type { Clock, DatabaseClock } from '../../src/core/clock.ts'
import type { Jail } from '../../src/core/ports/jail.ts'
import type { Logger } from '../../src/core/ports/logger.ts'
import type { Queue } from '../../src/core/ports/queue.ts'
import type { StorageAdapter } from '../../src/core/ports/storage.ts'
import type { Carrier } from '../../src/database/carriers/carrier.ts'
import type { Queryable } from '../../src/database/database.ts'
import type { GivenDatabase } from '../../src/database/open.ts'
import { pglite } from '../../src/pglite.ts'
import type { SettableClock } from '../../src/testing/clock.ts'
import { createMemoryBucket, type LandingHook, type MemoryBucket } from '../../src/testing/memory-bucket.ts'
import type { Engine, EngineDatabase } from '../../test/services/engines.ts'
import { createWitness, type Witness } from '../judge.ts'
import type { Query } from '../judge/witness-options.ts'
import { openObserver } from '../judge/observer.ts'
import { openScenarioApp, type ScenarioRindle } from './app.ts'
import { createFakeDecoder } from './fake-decoder.ts'
import { createPatientClock, type PatientClock } from './patient-clock.ts'

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

/** An app with a database, a bucket and a clock of its own, in which one playing follows another under the eyes of a witness. */
export interface Testbed {
  readonly rindle: ScenarioRindle
  readonly ctx: RindleContext
  readonly clock: PatientClock
  readonly witness: Witness
  readonly database: EngineDatabase
  /** Rows as they are, over connections that nothing breaks. */
  readonly rows: Queryable
  readonly query: Query
  /** The bucket of this playing, as it is. */
  bucket(): MemoryBucket
  /** Lets what clients have sent and is on its way land now. */
  landLate(): Promise<void>
  /** Begins anew: nothing in database and bucket, and this trouble before the ports. What the witness sees is told to `breach` from now on. */
  begin(trouble: Trouble, breach: (text: string) => void): Promise<void>
  /** Takes the trouble away. */
  calm(): void
  /** Runs `run` in a transaction of the app's own. */
  transaction<T>(end: 'commit' | 'rollback', run: (tx: object) => Promise<T>): Promise<T>
  another(): ScenarioRindle
  close(): Promise<void>
}

export interface TestbedOptions {
  readonly engine: Engine
  readonly folder: string
  /** Every line of it. Default: nobody listens. */
  readonly logger?: Logger
  readonly secrets?: readonly string[]
  /** What the app says to the database's server, which believes anybody here. */
  readonly password?: string
}

/** Small, so that a few bytes are an upload in parts. */
const limits = { minPartBytes: 64, maxPartBytes: 4096, maxParts: 100 }

export const openTestbed = async (options: TestbedOptions): Promise<Testbed> => {
  const { engine, folder, logger = silentLogger, secrets, password } = options
  mkdirSync(folder, { recursive: true })
  const database = await engine.open()
  const observer = openObserver(handleOf(database))
  const clock = createPatientClock()
  const query: Query = (text, values) => clock.working(observer.query(text, values))
  let tell = (_text: string): void => undefined
  const witness = createWitness({ query, breach: (text) => tell(text) })
  const ports = createPorts(clock, witness)
  const open = (): ScenarioRindle =>
    witness.watch(
      openScenarioApp({
        database: handleOf(database, password),
        ...{ storage: ports.storage, scratchFolder: folder, logger, overrides: ports.overrides },
        ...(secrets ? { secrets } : {}),
      }),
    )
  const rindle = open()
  await rindle.ready()
  const app = engine.concurrent ? new pg.Pool({ connectionString: database.place, max: 4 }) : null
  app?.on('error', () => undefined)
  const ending = async <T>(end: 'commit' | 'rollback', run: (tx: object) => Promise<T>): Promise<T> => {
    let known: object | null = null
    const noting = (tx: object): Promise<T> => run((known = tx))
    const { value, outcome } = await (app ? onPool(app, end, noting) : onPglite(database, end, noting)).then(
      (value) => ({ value: { value }, outcome: end === 'commit' ? ('yes' as const) : ('no' as const) }),
      (err: unknown) => ({ value: { err }, outcome: 'no' as const }),
    )
    if (known) witness.ended(known, outcome)
    if ('err' in value) throw value.err
    return value.value
  }
  return {
    ...{ rindle, clock, witness, database, query, rows: observer.rows, ctx: contextOf(rindle) },
    bucket: ports.bucket,
    async landLate() {
      for (const call of ports.bucket().late.slice()) await witness.land(call)
    },
    async begin(trouble, breach) {
      ports.use({})
      await empty(query)
      witness.forget()
      tell = breach
      ports.renew()
      ports.use(trouble)
    },
    calm: () => ports.use({}),
    transaction: ending,
    another: open,
    async close() {
      ports.use({})
      await rindle.close()
      await observer.close()
      await app?.end()
      await database.close()
    },
  }
}

/** The ports of all apps of a testbed: the witness next to the app, behind it whatever trouble there is now, and then what is real. */
const createPorts = (clock: PatientClock, witness: Witness) => {
  const jail = switchable(createFakeDecoder(clock))
  const clocks = { clock: switchable<Clock>(clock), database: switchable<DatabaseClock>(clock.database) }
  let landing: LandingHook = () => 'now'
  const newBucket = () => createMemoryBucket({ clock, limits, landing: witness.landings((call) => landing(call)) })
  let bucket = newBucket()
  const storage = switchable(bucket.adapter)
  const carriers: { readonly real: Carrier; readonly port: Switchable<Carrier> }[] = []
  const queues: { readonly real: Queue; readonly port: Switchable<Queue> }[] = []
  const added = <T extends object>(list: { readonly real: T; readonly port: Switchable<T> }[], real: T): T => {
    const port = switchable(real)
    list.push({ real, port })
    return port.port
  }
  return {
    storage: storage.port,
    overrides: {
      clock: clocks.clock.port,
      databaseClock: clocks.database.port,
      jail: jail.port,
      carrier: (given: Carrier) => added(carriers, clock.attended(given)),
      queue: (given: Queue) => added(queues, given),
    },
    bucket: () => bucket,
    /** An empty bucket, and the first app alone. */
    renew(): void {
      bucket = newBucket()
      for (const list of [carriers, queues]) list.length = 1
    },
    use(trouble: Trouble): void {
      const moved = trouble.clocks?.(clock)
      clocks.clock.use(moved?.clock ?? clock)
      clocks.database.use(moved?.databaseClock ?? clock.database)
      storage.use(witness.storage(trouble.storage?.(bucket.adapter) ?? bucket.adapter))
      for (const { real, port } of carriers) port.use(trouble.carrier?.(real) ?? real)
      for (const { real, port } of queues) port.use(trouble.queue?.(real) ?? real)
      const decoder = createFakeDecoder(clock)
      jail.use(witness.jail(trouble.jail?.(decoder) ?? decoder))
      landing = trouble.landing ?? (() => 'now')
    },
  }
}

/** One of its own for everybody who is to close it. */
const handleOf = ({ given, place }: EngineDatabase, password?: string): GivenDatabase => {
  if (typeof given !== 'string') return pglite(place)
  if (password === undefined) return given
  const address = new URL(place)
  address.password = password
  return address.href
}

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
const empty = async (query: Query): Promise<void> => {
  await query(
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
