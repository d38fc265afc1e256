import { RindleError } from '../core/errors.ts'

/** What PostgreSQL said no to, the same whatever carried the statement. `code` is the SQLSTATE, `cause` what the carrier threw. */
export class SqlError extends Error {
  override readonly name = 'SqlError'
  readonly code: string
  readonly constraint: string | null

  constructor(message: string, code: string, constraint: string | null, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    this.constraint = constraint
  }
}

/** Two transactions were in each other's way: the same work may succeed when it is done again from the beginning. */
export const isConflict = (err: unknown): boolean =>
  err instanceof SqlError &&
  (err.code === '40P01' || err.code === '40001' || (err.code === '23505' && slotIndexes.has(err.constraint ?? '')))

/** Of a repeatable-read transaction the slot's lock orders the statements, but not their snapshots. */
const slotIndexes: ReadonlySet<string> = new Set(['media_attachments_current', 'media_attachments_pending_one', 'media_attachments_member'])

/**
 * Makes one of a few of everything a driver throws: `database_unavailable`, `database_refused`, `statement_cancelled`, or an `SqlError`. What is
 * none of these is handed back as it is.
 */
export const translated = (err: unknown, operation: string): unknown => {
  if (err instanceof RindleError || err instanceof SqlError) return err
  const found = sqlStateIn(err)
  const refused = refusalOf(err, found)
  if (refused) return new RindleError('database_refused', { reason: refused }, { cause: err })
  if (found && cancelled.has(found.code)) return new RindleError('statement_cancelled', { reason: found.message }, { cause: err })
  if (found && !unavailable.test(found.code)) return new SqlError(found.message, found.code, found.constraint, { cause: err })
  if (found || isConnectionLoss(err)) return new RindleError('database_unavailable', { operation }, { cause: err })
  return err
}

const unavailable = /^(08...|53...|57P0[1235]|58030)$/
/** Somebody, or a limit of the role or the database, ended a statement: its time was up, or that in which it waited for a lock. */
const cancelled: ReadonlySet<string> = new Set(['57014', '55P03'])
const lostConnection =
  /connection terminated|connection ended|timeout exceeded when trying to connect|not queryable|connection error|client was closed|closed the connection/i
const socketCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'P1001',
  'P1017',
])

interface Found {
  readonly code: string
  readonly message: string
  readonly constraint: string | null
}

/** A wrong password, role, database or address, or a right that was not given: nothing that another attempt would change. */
const refusalOf = (err: unknown, found: Found | null): string | null => {
  if (found?.code === '25006') return `${found.message}, which is all that a standby or default_transaction_read_only allows`
  if (found) return /^(28...|3D000|42501)$/.test(found.code) ? found.message : null
  const { code, message } = typeof err === 'object' && err !== null ? (err as { code?: unknown; message?: unknown }) : {}
  if (code === 'ERR_INVALID_URL') return 'the address is no URL (special characters in a password are written as %40 and the like)'
  return typeof message === 'string' && /password must be a/.test(message) ? 'the server asks for a password, and none was given' : null
}

/** Drizzle keeps the driver's error as `cause`, Prisma deep in `meta`. */
const sqlStateIn = (err: unknown, depth = 0): Found | null => {
  if (typeof err !== 'object' || err === null || depth > 5) return null
  const seen = err as Record<string, unknown>
  const code = seen['originalCode'] ?? seen['code']
  if (typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && !/^P\d{4}$/.test(code) && !socketCodes.has(code)) {
    return { code, message: String(seen['originalMessage'] ?? seen['message'] ?? code), constraint: constraintIn(seen) }
  }
  for (const key of ['cause', 'driverAdapterError', 'meta']) {
    const inner = sqlStateIn(seen[key], depth + 1)
    if (inner) return inner
  }
  return null
}

const constraintIn = (seen: Readonly<Record<string, unknown>>): string | null => {
  const { constraint } = seen
  if (typeof constraint === 'string') return constraint
  if (typeof constraint === 'object' && constraint !== null && 'index' in constraint) return String(constraint.index)
  return /constraint "([^"]+)"/.exec(String(seen['originalMessage'] ?? seen['message'] ?? ''))?.[1] ?? null
}

const isConnectionLoss = (err: unknown): boolean => {
  if (typeof err !== 'object' || err === null) return false
  const { code, message, errors } = err as { code?: unknown; message?: unknown; errors?: unknown }
  if (typeof code === 'string' && socketCodes.has(code)) return true
  if (Array.isArray(errors)) return errors.some(isConnectionLoss)
  return typeof message === 'string' && lostConnection.test(message)
}
