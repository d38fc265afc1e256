import type { Stores } from './adapters/storage/stores.ts'
import type { Clock } from './core/clock.ts'
import { RindleError } from './core/errors.ts'
import type { Ids } from './core/ids.ts'
import type { KeyRing } from './core/key-ring.ts'
import type { Changes } from './core/ports/changes.ts'
import type { Logger } from './core/ports/logger.ts'
import type { Jail } from './core/ports/jail.ts'
import type { Queue } from './core/ports/queue.ts'
import type { Telemetry } from './core/ports/telemetry.ts'
import type { Profiles, Slots } from './core/profile.ts'
import type { Database } from './database/database.ts'
import type { Host } from './host.ts'

/** Everything a flow may reach for. A flow names the part it uses: `Pick<RindleContext, 'db' | 'clock'>`. */
export interface RindleContext {
  readonly db: Database
  readonly stores: Stores
  readonly queue: Queue
  readonly changes: Changes
  readonly jail: Jail
  /** Nothing is decoded where a wall of the jail does not stand. */
  readonly wallsRequired: boolean
  /** The database's time, carried forward monotonically. Set at the first call and at every look of the worker. */
  readonly clock: Clock
  readonly ids: Ids
  readonly profiles: Profiles
  readonly slots: Slots
  readonly keys: KeyRing
  /** Where the http door is mounted, without a slash at the end; null when the app did not say. */
  readonly baseUrl: string | null
  readonly host: Host
  readonly logger: Logger
  readonly telemetry: Telemetry
  readonly leaseSeconds: number
}

/** What every Rindle offers whoever stands at a door, whatever its profiles. */
export interface AnyRindle {
  /** Opens what is not open yet, and refuses profiles that this machine cannot serve. */
  ready(): Promise<void>
}

interface Known {
  readonly context: RindleContext
  readonly open: () => Promise<void>
}

const contexts = new WeakMap<AnyRindle, Known>()

/** The context behind a Rindle, for doors. Nothing in it is open before a first call. @throws RindleError `argument_invalid` */
export const contextOf = (rindle: AnyRindle): RindleContext => knownOf(rindle).context

/** The same, opened as every call does it: without the look at decoders that `ready()` takes. @throws RindleError `argument_invalid` */
export const openedContextOf = async (rindle: AnyRindle): Promise<RindleContext> => {
  const { context, open } = knownOf(rindle)
  await open()
  return context
}

const knownOf = (rindle: AnyRindle): Known => {
  const known = contexts.get(rindle)
  if (!known)
    throw new RindleError('argument_invalid', {
      argument: 'rindle',
      problem: 'it does not come from createRindle of this copy of the package',
    })
  return known
}

/** Makes `contextOf` know it. For createRindle alone. */
export const rememberContext = (rindle: AnyRindle, context: RindleContext, open: () => Promise<void>): void =>
  void contexts.set(rindle, { context, open })
