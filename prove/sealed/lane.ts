import { mkdirSync } from 'node:fs'
import { contextOf, type RindleContext } from '../../src/context.ts'
import { image } from '../../src/core/image-recipe.ts'
import type { Jail } from '../../src/core/ports/jail.ts'
import { defineProfile } from '../../src/core/profile-definition.ts'
import { createTestRindle } from '../../src/rindle.ts'
import { createSettableClock, type SettableClock } from '../../src/testing/clock.ts'
import { createTestWorker, type TestWorker } from '../../src/testing/test-worker.ts'
import type { Engine, EngineDatabase } from '../../test/services/engines.ts'
import type { Ground } from './ground.ts'
import { silentLogger } from '../../src/adapters/telemetry/logger.ts'

/** One app with a database of its own, in which one interleaving follows another. */
export type Lane = {
  readonly rindle: ReturnType<typeof rindleOn>
  readonly ctx: RindleContext
  readonly database: EngineDatabase
  readonly grounds: readonly Ground[]
  /** Null where time is the machine's. */
  readonly clock: SettableClock | null
  readonly worker: TestWorker
  close(): Promise<void>
}

export type LaneOptions = {
  readonly engine: Engine
  readonly folder: string
  readonly jail: Jail
  readonly clock: SettableClock | null
  readonly grounds: readonly Ground[]
}

const rindleOn = (database: EngineDatabase, { grounds, folder, jail, clock }: LaneOptions) => {
  const limits = { maxBytes: 100_000 }
  const profiles = Object.fromEntries(
    grounds.flatMap(({ name, staged: storage }) => [
      [`paper-${name}`, defineProfile({ kind: 'file', storage, allowMime: ['application/pdf'], ...limits })],
      [`photo-${name}`, defineProfile({ storage, allowMime: ['image/png'], variants: { thumb: image({ width: 6 }) }, ...limits })],
    ]),
  )
  return createTestRindle(
    {
      database: database.given,
      secrets: ['a secret of the proof that is long enough'],
      scratchFolder: folder,
      profiles,
      logger: silentLogger,
    },
    // One jail serves every lane, and is closed after the last.
    { jail: { ...jail, close: async () => {} }, ...(clock ? { clock, databaseClock: clock.database } : {}) },
  )
}

export const openSealedLane = async (options: LaneOptions): Promise<Lane> => {
  const { engine, clock, grounds, folder } = options
  mkdirSync(folder, { recursive: true })
  const database = await engine.open()
  const rindle = rindleOn(database, options)
  await rindle.ready()
  // By the machine's time nothing can be let pass, so that there it only does what waits.
  const worker = createTestWorker(rindle, clock ?? createSettableClock())
  return {
    ...{ rindle, ctx: contextOf(rindle), database, grounds, clock, worker },
    async close() {
      await rindle.close()
      await database.close()
    },
  }
}
