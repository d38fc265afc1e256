import { mkdirSync } from 'node:fs'
import { contextOf, type RindleContext } from '../../src/context.ts'
import { image } from '../../src/core/image-recipe.ts'
import type { Jail } from '../../src/core/ports/jail.ts'
import { defineProfile } from '../../src/core/profile-definition.ts'
import { jobNames } from '../../src/core/jobs.ts'
import { jobs } from '../../src/doors/worker/jobs.ts'
import { sweep } from '../../src/flows/ops/sweep.ts'
import { createTestRindle } from '../../src/rindle.ts'
import type { SettableClock } from '../../src/testing/clock.ts'
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
  /** Does the deletions that wait. */
  tidy(): Promise<void>
  /** Lets two days pass with a worker that sweeps and works. Only where time can be set. */
  age(): Promise<void>
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

export const openLane = async (options: LaneOptions): Promise<Lane> => {
  const { engine, clock, grounds, folder } = options
  mkdirSync(folder, { recursive: true })
  const database = await engine.open()
  const rindle = rindleOn(database, options)
  await rindle.ready()
  const ctx = contextOf(rindle)

  const work = async (names: readonly string[]): Promise<void> => {
    for (const { name, run } of jobs) {
      if (!names.includes(name)) continue
      const waiting = await ctx.queue.fetch(name, 100)
      for (const { id } of waiting) await run(ctx, id, { signal: new AbortController().signal })
      await ctx.queue.complete(waiting)
    }
  }
  let previous: Awaited<ReturnType<typeof sweep>>['reading'] | null = null
  return {
    ...{ rindle, ctx, database, grounds, clock },
    tidy: () => work(['delete_object']),
    async age() {
      for (let step = 0; step < 5; step += 1) {
        clock?.advance(step === 0 ? 1 : 43_200)
        previous = (await sweep(ctx, { holder: 'lane', previous })).reading
        await work(jobNames)
      }
    },
    async close() {
      await rindle.close()
      await database.close()
    },
  }
}
