import type { Kysely } from 'kysely'
import type { PoolClient } from 'pg'
import { RindleError } from '../core/errors.ts'
import type { Executor } from './carriers/carrier.ts'
import { kyselyExecutor } from './carriers/kysely.ts'
import { pgExecutor } from './carriers/pg.ts'
import { pgliteExecutor, type PgliteTransaction } from './carriers/pglite.ts'
import { translated } from './sql-error.ts'
import { rowsByName, rowsByType } from './values.ts'

/**
 * Statements inside a transaction that the adopter has opened: a checked-out pg client, or a transaction of Kysely, Drizzle (over pg or
 * PGlite), Prisma, Knex or PGlite. Nothing is prepared by name there, since nobody knows what pooler stands behind it.
 *
 * @throws RindleError `transaction_not_supported`
 */
export const adopterExecutor = (tx: unknown): Executor => {
  const executor = typeof tx === 'object' || typeof tx === 'function' ? known(tx as object | null) : null
  if (!executor) throw new RindleError('transaction_not_supported', { given: described(tx) })
  return executor
}

const known = (tx: object | null): Executor | null => {
  if (tx === null) return null
  if (isKyselyTransaction(tx)) return kyselyExecutor(tx)
  const drizzle = drizzleClient(tx)
  if (drizzle) return driverExecutor(drizzle)
  if (isPrisma(tx)) return prismaExecutor(tx)
  if (isKnex(tx)) return knexExecutor(tx)
  return driverExecutor(tx)
}

const driverExecutor = (connection: object): Executor | null => {
  if (isPgliteTransaction(connection)) return pgliteExecutor(connection)
  if (isPgClient(connection)) return pgExecutor(connection, false)
  return null
}

const has = (given: object, ...names: string[]): boolean => names.every((name) => name in given)

const isKyselyTransaction = (tx: object): tx is Kysely<unknown> =>
  has(tx, 'isTransaction', 'executeQuery') && (tx as { isTransaction: unknown }).isTransaction === true
/** A Pool has no `processID`, and PGlite itself no `rollback`: each statement on them would be a transaction of its own. */
const isPgClient = (tx: object): tx is PoolClient => has(tx, 'query', 'connection', 'processID')
const isPgliteTransaction = (tx: object): tx is PgliteTransaction => has(tx, 'query', 'exec', 'rollback') && !has(tx, 'waitReady')

/** Drizzle's transactions have a `rollback`, its databases have none; the session below holds the driver's own connection. */
const drizzleClient = (tx: object): object | null => {
  if (!has(tx, 'rollback', 'session', 'dialect')) return null
  const { session } = tx as { session?: { client?: unknown } }
  const client = session?.client
  return typeof client === 'object' && client !== null ? client : null
}

interface PrismaTransaction {
  $queryRawUnsafe(text: string, ...values: unknown[]): Promise<unknown>
  $executeRawUnsafe(text: string, ...values: unknown[]): Promise<number>
}

/** The client itself can `$connect`, extended or not; the one inside an interactive transaction cannot. */
const isPrisma = (tx: object): tx is PrismaTransaction => {
  const client = tx as Record<string, unknown>
  return typeof client['$queryRawUnsafe'] === 'function' && typeof client['$connect'] !== 'function'
}

const prismaExecutor = (tx: PrismaTransaction): Executor => ({
  async execute(text, values) {
    try {
      if (isCounted(text)) {
        return { rows: [], affected: await tx.$executeRawUnsafe(text, ...values) }
      }
      const rows = await tx.$queryRawUnsafe(text, ...values)
      return { rows: rowsByName(Array.isArray(rows) ? rows : []), affected: null }
    } catch (err) {
      throw translated(err, 'query')
    }
  },
})

/** Prisma tells how many rows were touched only when it is not asked for rows. */
const isCounted = (text: string): boolean => /^\s*(insert|update|delete)\b/i.test(text) && !/\breturning\b/i.test(text)

interface KnexTransaction {
  raw(text: string, values: readonly unknown[]): Promise<unknown>
}

const isKnex = (tx: object): tx is KnexTransaction =>
  has(tx, 'raw', 'isTransaction', 'commit') && (tx as { isTransaction: unknown }).isTransaction === true

const knexExecutor = (tx: KnexTransaction): Executor => ({
  async execute(text, values) {
    const { question, bindings } = asQuestionMarks(text, values)
    try {
      const result = (await tx.raw(question, bindings)) as {
        rows: Record<string, unknown>[]
        rowCount: number | null
        fields?: { name: string; dataTypeID: number }[]
      }
      return { rows: rowsByType(result.rows, result.fields ?? []), affected: result.rowCount }
    } catch (err) {
      throw translated(err, 'query')
    }
  },
})

/** Knex counts question marks: `$n` becomes one each, in the order of the text, and those that are there already are escaped. */
const asQuestionMarks = (text: string, values: readonly unknown[]): { question: string; bindings: unknown[] } => {
  const bindings: unknown[] = []
  const question = text.replaceAll(/\?|\$(\d+)/g, (found, position?: string) => {
    if (position === undefined) return '\\?'
    bindings.push(values[Number(position) - 1] ?? null)
    return found === '?' ? '\\?' : '?'
  })
  return { question, bindings }
}

const described = (tx: unknown): string => {
  if (tx === null || typeof tx !== 'object') return typeof tx === 'function' ? 'a function' : String(tx)
  return `a ${tx.constructor?.name ?? 'plain object'}`
}
