import { local } from '../../src/adapters/storage/local.ts'
import { s3 } from '../../src/adapters/storage/s3.ts'
import type { Logger } from '../../src/core/ports/logger.ts'
import type { StorageAdapter } from '../../src/core/ports/storage.ts'
import { openScenarioApp } from '../scenarios/app.ts'
import { createFakeDecoder } from '../scenarios/fake-decoder.ts'
import type { FastTime } from './fast-time.ts'
import type { Ports } from './ports.ts'
import { createTrouble } from './trouble.ts'

export type StoreGiven =
  | { readonly kind: 'local'; readonly directory: string }
  | {
      readonly kind: 's3'
      readonly bucket: string
      readonly endpoint: string
      readonly region: string
      readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string }
    }

/** What every process of a lane is told when it is started. */
export interface Task {
  readonly database: string
  readonly store: StoreGiven
  readonly scratchFolder: string
  /** Where it writes its last words. */
  readonly folder: string
  /** When fast time began. */
  readonly since: number
  /** So much faster than the machine's time. */
  readonly factor: number
  /** Whether files are decoded in the jail, or taken for what they say they are. */
  readonly jail: 'real' | 'plain'
}

export const adapterOf = (store: StoreGiven): StorageAdapter => (store.kind === 'local' ? local(store) : s3(store))

/** The app of the scenarios on a real server and a real store. */
export const openCrashApp = (task: Task, time: FastTime, ports: Ports | null, logger: Logger) => {
  const adapter = adapterOf(task.store)
  const plain = task.jail === 'plain' ? createFakeDecoder(time.clock) : null
  const trouble = createTrouble(time.clock, process.pid)
  return openScenarioApp({
    ...{ database: task.database, storage: ports?.storage(trouble.storage(adapter)) ?? adapter, scratchFolder: task.scratchFolder, logger },
    overrides: {
      clock: time.clock,
      databaseClock: time.database,
      jail: (own) => ports?.jail(trouble.jail(plain ?? own)) ?? plain ?? own,
      ...(ports ? { carrier: ports.carrier, queue: ports.queue } : {}),
    },
  })
}
