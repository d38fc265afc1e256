/** What one statement gave. `affected` is null where the carrier does not tell. */
export interface StatementResult {
  readonly rows: readonly Readonly<Record<string, unknown>>[]
  readonly affected: number | null
}

/**
 * Carries statements to PostgreSQL: over a connection, a pool, or a transaction that somebody else opened. Whatever carries them, rows
 * come back alike: bigint as number, timestamptz as Date, bytea as Uint8Array, json parsed, xid8 as text. Failures are `SqlError` or a
 * `RindleError`.
 */
export interface Executor {
  execute(text: string, values: readonly unknown[]): Promise<StatementResult>
  /** Several statements without values. Absent where the carrier takes one at a time. */
  script?(text: string): Promise<void>
}

/** A way to a database of ours: `openDatabase` makes a `Database` of it. */
export interface Carrier extends Executor {
  readonly engine: 'pglite' | 'postgres'
  open(): Promise<void>
  /**
   * One READ COMMITTED transaction on one connection. Throwing rolls back. With `lockFirst` it holds the advisory lock of that name before
   * `run` begins.
   */
  transaction<T>(run: (executor: Executor) => Promise<T>, lockFirst?: string): Promise<T>
  /** Returns how to stop; null where the connection cannot listen. */
  listen(channel: string, hear: (payload: string) => void): Promise<(() => Promise<void>) | null>
  close(): Promise<void>
}

/** The number of the advisory lock of a name; takes SQL and gives SQL. Whoever excludes somebody else must come to the same one. */
export const lockNumber = (name: string): string => `hashtextextended(${name}, 0)`

/** Takes the advisory lock of a name until the transaction ends, and says how much of what others commit meanwhile that sees. */
export const lockText = `select pg_advisory_xact_lock(${lockNumber('$1::text')})::text as locked, current_setting('transaction_isolation') as isolation`

/** For carriers that begin a transaction by themselves. */
export const lockedFirst = async (executor: Executor, name: string | undefined): Promise<Executor> => {
  if (name !== undefined) await executor.execute(lockText, [name])
  return executor
}
