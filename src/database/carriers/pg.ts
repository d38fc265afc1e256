import { createHash } from 'node:crypto'
import type { Client, Pool, PoolClient, QueryResult } from 'pg'
import { RindleError } from '../../core/errors.ts'
import { SqlError, translated } from '../sql-error.ts'
import { parserOf } from '../values.ts'
import { atMost } from './at-most.ts'
import { type Carrier, type Executor, lockText, type StatementResult } from './carrier.ts'
import { createListener, type Listener } from './pg-listener.ts'

/** Where the server is: an address, or a pool that the app has made. */
export interface PgOptions {
  readonly url?: string
  readonly pool?: Pool
  /** An address that leads to the server itself, for listening behind a pooler. */
  readonly directUrl?: string
  /** False behind a pooler in transaction mode, which cannot keep prepared statements. */
  readonly prepared?: boolean
}

/** How long statements that run may go on once the pool is to end: a server that hangs answers none. */
const goodbyeMs = 5_000

const types = { getTypeParser: (oid: number) => parserOf(oid) }

/** PostgreSQL 15 or newer through `pg`. A pool that is handed in is used and left open. */
export const pgCarrier = (options: PgOptions): Carrier => {
  const prepared = options.prepared ?? true
  let opened: { pool: Pool; listener: Listener } | null = null

  const ready = async () => {
    if (opened) return opened
    const pool = options.pool ?? (await createPool(options.url ?? ''))
    opened ??= { pool, listener: createListener(listeningClient(pool, options)) }
    return opened
  }

  const execute = async (text: string, values: readonly unknown[]) => run((await ready()).pool, prepared, text, values)

  return {
    engine: 'postgres',
    execute,
    async open() {
      const { rows } = await execute(`select current_setting('server_version_num')::integer as version`, [])
      const version = Number(rows[0]?.['version'])
      if (version < 150_000) {
        throw new RindleError('options_invalid', {
          problems: [`database: PostgreSQL 15 or newer is needed, the server is ${Math.floor(version / 10_000)}`],
        })
      }
    },
    async transaction(body, lockFirst) {
      return transactionOn(await taken((await ready()).pool), prepared, body, lockFirst)
    },
    listen: async (channel, hear) => (await ready()).listener.listen(channel, hear),
    async close() {
      const closing = opened
      opened = null
      await closing?.listener.close()
      if (closing && !options.pool) await atMost(goodbyeMs, closing.pool.end())
    },
  }
}

/** One connection that somebody holds, or a pool. */
export const pgExecutor = (connection: Pool | PoolClient | Client, prepared: boolean): Executor => ({
  execute: (text, values) => run(connection, prepared, text, values),
  async script(text) {
    await connection.query(text).catch((err: unknown) => {
      throw translated(err, 'script')
    })
  },
})

const createPool = async (url: string): Promise<Pool> => {
  const { default: pg } = await import('pg')
  const pool = new pg.Pool({ connectionString: url, application_name: 'rindle', connectionTimeoutMillis: 15_000, keepAlive: true })
  pool.on('error', () => {})
  return pool
}

const listeningClient =
  (pool: Pool, { directUrl }: PgOptions) =>
  async () => {
    const { default: pg } = await import('pg')
    return new pg.Client(directUrl ? { connectionString: directUrl, application_name: 'rindle' } : pool.options)
  }

const run = async (
  connection: Pool | PoolClient | Client,
  prepared: boolean,
  text: string,
  values: readonly unknown[],
): Promise<StatementResult> => {
  const name = prepared ? nameOf(text) : null
  try {
    const { rows, rowCount }: QueryResult = await connection.query({ text, values: [...values], types, ...(name ? { name } : {}) })
    return { rows, affected: rowCount }
  } catch (err) {
    throw translated(err, 'query')
  }
}

const begun = (client: PoolClient, text: string): Promise<unknown> =>
  client.query(text).catch((err: unknown) => {
    throw translated(err, 'begin')
  })

/** A body that never goes on must not keep its connection and its locks: the server ends it. */
const begin = 'begin isolation level read committed; set local idle_in_transaction_session_timeout = 60000'

/** A connection in somebody's hands, and what became of it there. */
interface Taken {
  readonly client: PoolClient
  lost?: Error
  giveBack(): void
}

/**
 * Takes a connection out of a pool and listens to it in the same turn: what a server says as it goes may be read with its welcome, and an error that
 * nobody hears ends the process.
 */
const taken = (pool: Pool): Promise<Taken> =>
  new Promise((resolve, reject) => {
    pool.connect((err, client) => {
      if (!client) return reject(translated(err, 'connect'))
      const hear = (lost: Error): void => void (hold.lost = lost)
      const hold: Taken = {
        client,
        giveBack() {
          client.off('error', hear)
          client.release(hold.lost)
        },
      }
      client.on('error', hear)
      resolve(hold)
    })
  })

const transactionOn = async <T>(
  hold: Taken,
  prepared: boolean,
  body: (executor: Executor) => Promise<T>,
  lockFirst: string | undefined,
): Promise<T> => {
  const { client } = hold
  try {
    // One message for both: the lock is a statement of its own all the same, so that the next one sees what it waited for.
    const lock = lockFirst === undefined ? '' : `; ${lockText.replace('$1', () => client.escapeLiteral(lockFirst))}`
    await begun(client, begin + lock)
    const result = await body(pgExecutor(client, prepared))
    await commit(client)
    return result
  } catch (err) {
    await client.query('rollback').catch((lost: Error) => (hold.lost = lost))
    throw err
  } finally {
    hold.giveBack()
  }
}

/** PostgreSQL answers the commit of a failed transaction with a rollback and no error. */
const commit = async (client: PoolClient): Promise<void> => {
  const { command } = await client.query('commit').catch((err: unknown) => {
    throw translated(err, 'commit')
  })
  if (command === 'ROLLBACK') throw new SqlError('an error inside the transaction was caught, so nothing of it was kept', '25P02', null)
}

const namesLimit = 500
const names = new Map<string, string | null>()

/** A text is prepared from its second use on, and only so many are: names live as long as their connection. */
const nameOf = (text: string): string | null => {
  const known = names.get(text)
  if (known) return known
  if (known === undefined && names.size >= 2 * namesLimit) return null
  const name = known === null && prepareds < namesLimit ? `rindle_${createHash('sha256').update(text).digest('hex').slice(0, 16)}` : null
  if (name) prepareds += 1
  names.set(text, name)
  return name
}

let prepareds = 0
