import type { Kysely } from 'kysely'
import type { DatabaseClock } from '../core/clock.ts'
import type { Schema } from './schema.ts'

/** Runs statements: on a connection of the pool, or inside the transaction it stands for. */
export type Queryable = Kysely<Schema>

export interface Database {
  /** Each statement on its own. */
  readonly pool: Queryable
  /** The same, also from within a transaction, to see what others have committed. Not on `pglite`, whose one session is the transaction's. */
  readonly committed: Queryable
  readonly clock: DatabaseClock
  /** `pglite` is one process and one session; `postgres` a pool. */
  readonly engine: 'pglite' | 'postgres'
  /** Opens it; the first call does the work. @throws RindleError `database_in_use`, `database_unavailable`. */
  open(): Promise<void>
  /**
   * One transaction. Throwing rolls back; a deadlock or serialisation failure runs `run` again, a bounded number of times.
   * Storage calls inside it are refused, and so is a nested call. With `lockFirst` it holds the advisory lock of that name before `run`
   * begins, as if `lockName` were its first statement.
   */
  transaction<T>(run: (tx: Queryable) => Promise<T>, lockFirst?: string): Promise<T>
  /**
   * Runs `run` inside the adopter's transaction: a checked-out pg client, or a Kysely, Drizzle, Prisma or Knex transaction. Nothing is
   * retried; a deadlock or serialisation failure is `transaction_conflict`.
   *
   * @throws RindleError `transaction_not_supported`, `transaction_conflict`
   */
  within<T>(tx: unknown, run: (tx: Queryable) => Promise<T>): Promise<T>
  /** Plain text to everybody who listens on `channel`, this process included. Never inside a transaction. */
  notify(channel: string, payload: string): Promise<void>
  /** Calls back for every notification. Returns how to stop; null where the connection cannot listen. */
  listen(channel: string, hear: (payload: string) => void): Promise<(() => Promise<void>) | null>
  /** Runs a script of statements without values, as the owner of the schemas. For migrations alone. */
  script(text: string): Promise<void>
  close(): Promise<void>
}
