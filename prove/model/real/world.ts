import { mkdirSync } from 'node:fs'
import { openedContextOf, type RindleContext } from '../../../src/context.ts'
import { image } from '../../../src/core/image-recipe.ts'
import { defineProfile } from '../../../src/core/profile-definition.ts'
import type { Carrier } from '../../../src/database/carriers/carrier.ts'
import { createTestRindle } from '../../../src/rindle.ts'
import { createSettableClock, type SettableClock } from '../../../src/testing/clock.ts'
import { createMemoryBucket, type MemoryBucket } from '../../../src/testing/memory-bucket.ts'
import type { Engine, EngineDatabase } from '../../../test/services/engines.ts'
import type { Landing } from '../bucket.ts'
import type { Setup } from '../setup.ts'
import { createPlainJail } from './bodies.ts'

/** The library as a walk needs it: on a bucket whose calls land as they are told to, in time that is set. */
export interface World {
  readonly ctx: RindleContext
  readonly clock: SettableClock
  readonly bucket: MemoryBucket
  readonly database: EngineDatabase
  readonly jail: ReturnType<typeof createPlainJail>
  /** Says how the next call lands that changes something; after that one, calls land now. */
  readonly direct: (landing: Landing) => void
  /** Waits until no statement is on its way. */
  readonly idle: () => Promise<void>
  /** Removes every row and every object. */
  readonly empty: () => Promise<void>
  readonly close: () => Promise<void>
}

const silent = { debug() {}, info() {}, warn() {}, error() {} }

export const openWorld = async (engine: Engine, setup: Setup, folder: string): Promise<World> => {
  mkdirSync(folder, { recursive: true })
  const clock = createSettableClock()
  let landing: Landing = 'now'
  const next = (): Landing => {
    const told = landing
    landing = 'now'
    return told
  }
  const { createOnly, ifMatch } = setup.honours
  const bucket = createMemoryBucket({ name: 'model', clock, honours: { createOnly, ifMatch }, landing: next })
  const jail = createPlainJail()
  const limits = { storage: bucket.adapter, maxBytes: 1000, allowMime: ['image/png'], quarantine: { keepSeconds: setup.durations.keep } }
  const profile = setup.hasVariant ? defineProfile({ ...limits, variants: { thumb: image({ width: 4 }) } }) : defineProfile(limits)
  const database = await engine.open()
  const under = statementCounter()
  const rindle = createTestRindle(
    {
      ...{ database: database.given, secrets: ['a secret of the proof that is long enough'], scratchFolder: folder, logger: silent },
      ...{ profiles: { picture: profile }, slots: { cover: { profile: 'picture' } } },
    },
    { clock, databaseClock: clock.database, jail, carrier: under.counted },
  )
  const ctx = await openedContextOf(rindle)
  return {
    ...{ ctx, clock, bucket, database, jail, idle: under.idle },
    direct: (told) => void (landing = told),
    async empty() {
      await under.idle()
      await database.empty()
      for await (const { key } of bucket.adapter.list('')) await bucket.adapter.delete(key)
    },
    async close() {
      await rindle.close()
      await database.close()
    },
  }
}

const breath = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Counts the statements that are on their way, so that what nobody waits for can be waited for. */
const statementCounter = () => {
  let open = 0
  const during = async <T>(run: () => Promise<T>): Promise<T> => {
    open += 1
    try {
      return await run()
    } finally {
      open -= 1
    }
  }
  return {
    counted: (carrier: Carrier): Carrier => ({
      ...carrier,
      execute: (text, values) => during(() => carrier.execute(text, values)),
      transaction: (run, lockFirst) => during(() => carrier.transaction(run, lockFirst)),
    }),
    async idle() {
      for (let calm = 0; calm < 4; calm = open === 0 ? calm + 1 : 0) await breath()
    },
  }
}
