import { randomInt } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type { Pool } from 'pg'
import { RindleError } from '../core/errors.ts'
import { adopterExecutor } from './adopters.ts'
import type { Carrier, Executor } from './carriers/carrier.ts'
import { kyselyCarrier } from './carriers/kysely.ts'
import { pgCarrier, type PgOptions } from './carriers/pg.ts'
import { pgliteCarrier, type PgliteInstance } from './carriers/pglite.ts'
import type { Database } from './database.ts'
import { embeddedIn, lockInstance } from './embedded.ts'
import { queryableOver } from './queryable.ts'
import { isConflict, translated } from './sql-error.ts'
import { insideTransaction, runInForeignTransaction, runInTransaction } from './transaction.ts'

/** Where PostgreSQL is behind a pooler: `directUrl` leads past it, for listening; `prepared: false` when it pools transactions. */
interface DatabaseAddress {
  readonly url: string
  readonly directUrl?: string
  readonly prepared?: boolean
}

/** What `createRindle({ database })` takes: an address, a pg Pool, `pglite(directory)` or a PGlite, or a Kysely. */
export type GivenDatabase = string | DatabaseAddress | object

/** The database as `given`. Touches nothing until `open`, or the first statement. Only tests put something before its carrier. */
export const openDatabase = (given: GivenDatabase, before: (carrier: Carrier) => Carrier = (carrier) => carrier): Database =>
  databaseOver(before(carrierFor(given)))

const attempts = 6

const databaseOver = (carrier: Carrier): Database => {
  let opening: Promise<void> | null = null
  let closed = false
  const refuseClosed = () => {
    if (closed) throw new RindleError('rindle_closed', {})
  }
  const outside: Executor = {
    execute: async (text, values) => {
      refuseClosed()
      return again(() => carrier.execute(text, values))
    },
  }
  const executor: Executor = {
    execute: async (text, values) => {
      refuseClosed()
      if (insideTransaction()) throw new RindleError('transaction_not_passed', { operation: 'A statement' })
      return outside.execute(text, values)
    },
  }
  const pool = queryableOver(executor)

  return {
    pool,
    committed: queryableOver(outside),
    engine: carrier.engine,
    clock: {
      async read() {
        const { rows } = await executor.execute('select clock_timestamp() as at', [])
        const at = rows[0]?.['at']
        if (!(at instanceof Date)) throw new RindleError('database_unavailable', { operation: 'read the clock' })
        return at
      },
    },
    open() {
      refuseClosed()
      opening ??= carrier.open().catch((err: unknown) => {
        opening = null
        throw translated(err, 'open')
      })
      return opening
    },
    async transaction(run, lockFirst) {
      refuseClosed()
      return runInTransaction((body) => again(() => carrier.transaction((on) => body(() => run(queryableOver(on))), lockFirst)))
    },
    async within(tx, run) {
      refuseClosed()
      const on = adopterExecutor(tx)
      try {
        return await runInForeignTransaction(() => run(queryableOver(on)))
      } catch (err) {
        throw isConflict(err) ? conflict(err) : err
      }
    },
    async notify(channel, payload) {
      await executor.execute('select pg_notify($1::text, $2::text)::text as sent', [channel, payload])
    },
    async listen(channel, hear) {
      refuseClosed()
      return carrier.listen(channel, hear)
    },
    async script(text) {
      refuseClosed()
      await carrier.transaction(async (on) => on.script?.(text))
    },
    async close() {
      if (closed) return
      closed = true
      await carrier.close()
    },
  }
}

/** A deadlock or serialisation failure has undone everything, so the same may be done again. */
const again = async <T>(attempt: () => Promise<T>): Promise<T> => {
  for (let count = 1; ; count += 1) {
    try {
      return await attempt()
    } catch (err) {
      if (!isConflict(err)) throw err
      if (count === attempts) throw conflict(err)
      await pause(randomInt(2, 10 * count + 2))
    }
  }
}

const conflict = (cause: unknown): RindleError => new RindleError('transaction_conflict', { operation: 'The call' }, { cause })

const carrierFor = (given: GivenDatabase): Carrier => {
  if (typeof given === 'string' && given !== '') return pgCarrier({ url: given })
  if (typeof given !== 'object' || given === null) throw notADatabase()
  const embedded = embeddedIn(given)
  if (embedded) return pgliteCarrier(embedded.open, embedded.close)
  if (isPool(given)) return pgCarrier({ pool: given })
  if (isKysely(given)) return kyselyCarrier(given)
  if (isPglite(given)) return carrierOfInstance(given)
  if (isAddress(given)) return pgCarrier(given)
  throw notADatabase()
}

/** One that the app opened stays open, and its directory locked, until the app closes it. */
const carrierOfInstance = (instance: PgliteInstance): Carrier =>
  pgliteCarrier(
    async () => {
      await lockInstance(instance)
      await instance.waitReady
      return instance
    },
    async () => {},
  )

const has = (given: object, ...names: string[]): boolean => names.every((name) => name in given)

const isPool = (given: object): given is Pool => has(given, 'connect', 'query', 'totalCount', 'options')
const isKysely = (given: object): given is Parameters<typeof kyselyCarrier>[0] =>
  has(given, 'getExecutor', 'executeQuery', 'withoutPlugins')
const isPglite = (given: object): given is PgliteInstance => has(given, 'waitReady', 'exec', 'query', 'transaction')
const isAddress = (given: object): given is PgOptions => 'url' in given && typeof given.url === 'string'

const notADatabase = (): RindleError =>
  new RindleError('options_invalid', {
    problems: [
      'database: pass an address (postgres://…), { url, directUrl, prepared }, a pg Pool, pglite(directory), a PGlite or a Kysely',
    ],
  })
