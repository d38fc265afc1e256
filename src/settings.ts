import { resolve } from 'node:path'
import { createChanges } from './adapters/queue/changes.ts'
import { createQueue } from './adapters/queue/pg-boss.ts'
import { createJail } from './adapters/processing/jail.ts'
import type { Timer } from './adapters/storage/object-store.ts'
import { createStores } from './adapters/storage/stores.ts'
import { createTelemetry } from './adapters/telemetry/diagnostics.ts'
import { jsonLogger, silentLogger } from './adapters/telemetry/logger.ts'
import type { RindleContext } from './context.ts'
import type { Clock, DatabaseClock } from './core/clock.ts'
import { type Ids, timeOrderedIds } from './core/ids.ts'
import { createKeyRing } from './core/key-ring.ts'
import { madeOrRefused } from './core/options.ts'
import type { Jail } from './core/ports/jail.ts'
import type { Logger } from './core/ports/logger.ts'
import type { Queue } from './core/ports/queue.ts'
import type { StorageAdapter } from './core/ports/storage.ts'
import type { Profiles } from './core/profile.ts'
import type { Carrier } from './database/carriers/carrier.ts'
import { createClock } from './database/clock.ts'
import { type GivenDatabase, openDatabase } from './database/open.ts'
import { type Host, readHost } from './host.ts'

/** A slot as the app declares it. */
export interface SlotOptions<P extends string = string> {
  readonly profile: P
  /** True: the slot holds a list in an order. Default false: one asset, replaced by the next. */
  readonly many?: boolean
}

export type SlotsOptions<P extends string = string> = Readonly<Record<string, SlotOptions<P>>>

export interface RindleOptions<P extends Profiles = Profiles, S extends SlotsOptions = SlotsOptions> {
  readonly profiles: P
  readonly slots?: S
  /** `pglite(directory)`, the address of a PostgreSQL server or `{ url, directUrl, prepared }`, a pg Pool, a PGlite or a Kysely. */
  readonly database: GivenDatabase
  /** Newest first, each of 32 bytes or more. A key per purpose is derived from them. */
  readonly secrets: readonly string[]
  /** Where the http door is mounted. Needed by stores whose objects that door serves. */
  readonly baseUrl?: string
  /** Stores that no profile uses any more, but that still hold objects. */
  readonly stores?: readonly StorageAdapter[]
  /** Default: warnings and errors of the worker as JSON lines on stderr, silence elsewhere. */
  readonly logger?: Logger
  /** How long a worker may be silent before another takes its work over. Default 30. */
  readonly leaseSeconds?: number
  /** Where jobs get their private folders; a relative path is taken from where the process was started. Default: the system's folder for temporary files. */
  readonly scratchFolder?: string
  /**
   * `require` refuses to decode where a wall of the jail does not stand, such as the sandbox of bubblewrap; `prefer` (the default) makes do with
   * those that do, and doctor says which.
   */
  readonly jail?: 'prefer' | 'require'
  /** What decoding one file may take in memory; a header that asks for more is refused. Default 1 GiB, which takes 48-megapixel photos of any type. */
  readonly maxDecodeBytes?: number
}

/** What tests decide instead of the machine. Only `rindle/testing` hands these in. */
export interface Overrides {
  readonly clock?: Clock
  readonly databaseClock?: DatabaseClock
  readonly ids?: Ids
  readonly host?: Host
  /** Takes the place of the decoders, or puts something before them. */
  readonly jail?: Jail | ((jail: Jail) => Jail)
  /** Puts something before what carries statements to the database. */
  readonly carrier?: (carrier: Carrier) => Carrier
  /** Puts something before the queue. */
  readonly queue?: (queue: Queue) => Queue
}

/** What `close` lets go of is in it. */
export type ClosableContext = RindleContext & { readonly changes: { close(): Promise<void> } }

/** Warnings and errors as JSON lines. */
export const stderrLogger = (clock: Clock): Logger =>
  jsonLogger(
    (line) => process.stderr.write(line),
    () => clock.now(),
  )

/** Checks the options, and makes of them what flows are given; opens nothing. @throws RindleError `options_invalid` */
export const contextFrom = (options: RindleOptions, overrides: Overrides): ClosableContext => {
  const { db, stores } = madeOrRefused(
    options,
    () => openDatabase(options.database, overrides.carrier),
    () =>
      createStores({
        ...{ profiles: options.profiles, stores: options.stores ?? [] },
        ...(overrides.clock ? { timer: timerOf(overrides.clock) } : {}),
      }),
  )
  const host = overrides.host ?? readHost()
  const clock = overrides.clock ?? createClock()
  const scratchFolder = resolve(options.scratchFolder ?? host.scratchFolder)
  const queue = createQueue({ database: db })
  return {
    db: overrides.databaseClock ? { ...db, clock: overrides.databaseClock } : db,
    stores,
    queue: overrides.queue?.(queue) ?? queue,
    changes: createChanges({ database: db }),
    jail: jailGiven(overrides, () => jailFrom(options, scratchFolder, clock)),
    wallsRequired: options.jail === 'require',
    clock,
    ids: overrides.ids ?? timeOrderedIds,
    profiles: options.profiles,
    slots: Object.fromEntries(Object.entries(options.slots ?? {}).map(([name, { profile, many = false }]) => [name, { profile, many }])),
    keys: createKeyRing(options.secrets),
    baseUrl: options.baseUrl?.replace(/\/+$/, '') ?? null,
    host: { ...host, scratchFolder },
    logger: options.logger ?? silentLogger,
    telemetry: createTelemetry(),
    leaseSeconds: options.leaseSeconds ?? 30,
  }
}

/** Timeouts in a test's own time. */
const timerOf =
  (clock: Clock): Timer =>
  (ms, ring) => {
    const over = new AbortController()
    clock.sleep(ms, over.signal).then(ring, () => undefined)
    return () => over.abort('over')
  }

const jailGiven = ({ jail }: Overrides, own: () => Jail): Jail => (typeof jail === 'function' ? jail(own()) : (jail ?? own()))

const jailFrom = ({ jail, maxDecodeBytes, logger }: RindleOptions, scratchFolder: string, clock: Clock): Jail =>
  createJail({
    ...{ require: jail === 'require', scratchFolder, logger: logger ?? stderrLogger(clock) },
    ...(maxDecodeBytes === undefined ? {} : { maxDecodeBytes }),
  })
