import { Kysely, PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler, type DatabaseConnection, type Dialect } from 'kysely'
import { RindleError } from '../core/errors.ts'
import type { Executor } from './carriers/carrier.ts'
import type { Queryable } from './database.ts'
import type { Schema } from './schema.ts'

const executors = new WeakMap<object, Executor>()

/** Kysely over one of our carriers: it builds and types the statements, the carrier runs them. */
export const queryableOver = (executor: Executor): Queryable => {
  const connection: DatabaseConnection = {
    async executeQuery<R>({ sql, parameters }: { sql: string; parameters: readonly unknown[] }) {
      const { rows, affected } = await executor.execute(sql, parameters)
      return { rows: rows as R[], ...(affected === null ? {} : { numAffectedRows: BigInt(affected) }) }
    },
    streamQuery: () => refuse('streaming'),
  }
  const dialect: Dialect = {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => ({
      init: async () => {},
      acquireConnection: async () => connection,
      releaseConnection: async () => {},
      beginTransaction: async () => refuse('its own transactions: use database.transaction'),
      commitTransaction: async () => refuse('its own transactions'),
      rollbackTransaction: async () => refuse('its own transactions'),
      destroy: async () => {},
    }),
    createIntrospector: (db) => new PostgresIntrospector(db),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  }
  const queryable = new Kysely<Schema>({ dialect })
  executors.set(queryable, executor)
  return queryable
}

/** The carrier below a queryable of ours. */
export const executorOf = (queryable: Queryable): Executor => {
  const executor = executors.get(queryable)
  if (!executor) throw new RindleError('argument_invalid', { argument: 'tx', problem: 'it is not a connection of this library' })
  return executor
}

const refuse = (what: string): never => {
  throw new RindleError('argument_invalid', { argument: 'database', problem: `this connection has no ${what}` })
}
