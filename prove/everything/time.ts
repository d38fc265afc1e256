import type { DatabaseClock } from '../../src/core/clock.ts'
import type { EngineDatabase } from '../../test/services/engines.ts'

/** Time that goes faster than the machine's, for every process of a proof, for the database's clock and for delayed jobs in its queue. */
export interface FastTime {
  /** Seconds since its beginning, as of the last tick. */
  seconds(): number
  now(): Date
  readonly database: DatabaseClock
  /** Calls back with the seconds that went by, at every tick. Returns how to stop. */
  follow(advance: (seconds: number) => void): () => void
  /** Lets so many seconds go by at once. */
  jump(seconds: number): Promise<void>
  /** From here on it goes by jumps alone. */
  halt(): Promise<void>
}

const tickMs = 5
const start = Date.parse('2026-01-01T12:00:00.000Z')

/** Starts time at noon on 1 January 2026, `factor` times as fast as it is. */
export const startTime = async (database: EngineDatabase, factor: number): Promise<FastTime> => {
  const followers = new Set<(seconds: number) => void>()
  let seconds = 0
  let jumped = 0
  let pace = factor
  let began = performance.now()

  const announce = (): Promise<unknown> =>
    database.query('update public.fast_time set base = $1::timestamptz, since = clock_timestamp(), factor = $2::float8', [
      new Date(start + jumped * 1000),
      pace,
    ])
  const tick = (): void => {
    const now = jumped + ((performance.now() - began) / 1000) * pace
    const passed = now - seconds
    seconds = now
    if (passed > 0) for (const advance of followers) advance(passed)
  }
  const settleAt = async (until: number): Promise<void> => {
    jumped = until
    began = performance.now()
    await announce()
    tick()
  }
  await database.query('create table if not exists public.fast_time (base timestamptz, since timestamptz, factor float8)')
  await database.query('insert into public.fast_time values (now(), now(), 1)')
  await announce()
  await database.query(`create or replace function rindle_queue.job_now() returns timestamptz language sql stable as
    'select base + (clock_timestamp() - since) * factor from public.fast_time'`)
  let ticker: NodeJS.Timeout | null = setInterval(tick, tickMs)

  return {
    seconds: () => seconds,
    now: () => new Date(start + seconds * 1000),
    database: { read: async () => new Date(start + seconds * 1000) },
    follow(advance) {
      followers.add(advance)
      return () => void followers.delete(advance)
    },
    async jump(by) {
      tick()
      await settleAt(seconds + by)
    },
    async halt() {
      if (ticker) clearInterval(ticker)
      ticker = null
      tick()
      pace = 0
      await settleAt(seconds)
    },
  }
}
