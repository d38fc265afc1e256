import { AsyncLocalStorage } from 'node:async_hooks'
import { RindleError } from '../../core/errors.ts'
import { translated } from '../sql-error.ts'
import { parsers } from '../values.ts'
import { type Carrier, type Executor, lockedFirst } from './carrier.ts'
import { type NamedStatements, namedStatements } from './pglite-statements.ts'

interface PgliteResults {
  readonly rows: readonly Readonly<Record<string, unknown>>[]
  readonly affectedRows?: number
}

/** The part of PGlite's transaction that is used here. */
export interface PgliteTransaction {
  readonly closed: boolean
  query(text: string, values?: unknown[], options?: object): Promise<PgliteResults>
  exec(text: string): Promise<unknown>
  rollback(): Promise<void>
}

/** The part of PGlite that is used here. */
export interface PgliteInstance {
  readonly waitReady: Promise<void>
  readonly closed: boolean
  readonly dataDir?: string | undefined
  query(text: string, values?: unknown[], options?: object): Promise<PgliteResults>
  exec(text: string): Promise<unknown>
  transaction<T>(run: (tx: PgliteTransaction) => Promise<T>): Promise<T>
  runExclusive<T>(run: () => Promise<T>): Promise<T>
  listen(channel: string, hear: (payload: string) => void): Promise<() => Promise<void>>
  close(): Promise<void>
}

interface OpenTransaction {
  readonly ours: boolean
  ended: boolean
}

/** What we know about the one session of an instance. */
interface Watched {
  readonly inside: AsyncLocalStorage<OpenTransaction>
  /** Ends with the transaction that somebody else holds open now; null when there is none. */
  theirs: Promise<unknown> | null
  readonly original: Pick<PgliteInstance, 'query' | 'exec' | 'transaction' | 'runExclusive'>
}

const watching = Symbol.for('rindle.pglite.watched')

/** How long a call waits for a transaction that is not its own before it is taken to have been made inside it. */
const patienceMs = 10_000

/** PGlite: one process, one session. `acquire` gives the instance, opened; `release` is told when it is no longer needed. */
export const pgliteCarrier = (acquire: () => Promise<PgliteInstance>, release: () => Promise<void>): Carrier => {
  let opened: Promise<{ instance: PgliteInstance; watched: Watched; statements: NamedStatements | null }> | null = null
  const ready = () => {
    opened ??= acquire().then(
      async (instance) => ({ instance, watched: watch(instance), statements: await namedStatements(instance) }),
      (err: unknown) => {
        opened = null
        throw err
      },
    )
    return opened
  }

  /** Every statement waits for the open transaction to end, so one made inside it would wait for ever. */
  const session = async (operation: string) => {
    const { watched, statements } = await ready()
    const inside = watched.inside.getStore()
    if (inside && !inside.ended) throw new RindleError('transaction_not_passed', { operation })
    if (watched.theirs) await endOf(watched.theirs, operation)
    return { original: watched.original, inside: watched.inside, statements }
  }

  return {
    engine: 'pglite',
    async open() {
      await ready()
    },
    async execute(text, values) {
      const { original, statements } = await session('A call')
      return executorOn(original, (...of) => statements?.run(...of, false)).execute(text, values)
    },
    async transaction(body, lockFirst) {
      const { original, inside, statements } = await session('A call')
      const mark: OpenTransaction = { ours: true, ended: false }
      try {
        return await original.transaction((tx) => {
          const executor = executorOn(tx, (...of) => (tx.closed ? null : statements?.run(...of, true)))
          return inside.run(mark, async () => body(await lockedFirst(executor, lockFirst)))
        })
      } catch (err) {
        throw translated(err, 'transaction')
      } finally {
        mark.ended = true
      }
    },
    async listen(channel, hear) {
      await session('listen')
      const { instance } = await ready()
      return instance.listen(`"${channel}"`, AsyncLocalStorage.bind(hear))
    },
    async close() {
      if (!opened) return
      opened = null
      await release()
    },
  }
}

/** Statements in a transaction of the app. */
export const pgliteExecutor = (session: Pick<PgliteTransaction, 'query' | 'exec'>): Executor => executorOn(session, () => null)

type ByName = (text: string, values: readonly unknown[]) => Promise<PgliteResults> | null | undefined

const executorOn = (session: Pick<PgliteTransaction, 'query' | 'exec'>, byName: ByName): Executor => ({
  async execute(text, values) {
    try {
      const { rows, affectedRows } = await (byName(text, values) ?? session.query(text, [...values], { parsers }))
      return { rows, affected: affectedRows ?? null }
    } catch (err) {
      throw translated(err, 'query')
    }
  },
  async script(text) {
    await session.exec(text).catch((err: unknown) => {
      throw translated(err, 'script')
    })
  },
})

/**
 * Wraps the instance's `transaction` in place, once, so that whatever is called inside it can be told from what is called beside it, and
 * its other methods, so that they refuse inside a transaction of ours instead of waiting for ever.
 */
const watch = (instance: PgliteInstance & { [watching]?: Watched }): Watched => {
  const known = instance[watching]
  if (known) return known
  const inside = new AsyncLocalStorage<OpenTransaction>()
  const original = {
    query: instance.query.bind(instance),
    exec: instance.exec.bind(instance),
    transaction: instance.transaction.bind(instance),
    runExclusive: instance.runExclusive.bind(instance),
  }
  const watched: Watched = { inside, theirs: null, original }
  const refuseInOurs = () => {
    const mark = inside.getStore()
    if (mark?.ours && !mark.ended) throw new RindleError('transaction_not_passed', { operation: 'A statement' })
  }
  instance[watching] = watched
  instance.query = async (...args) => {
    refuseInOurs()
    return original.query(...args)
  }
  instance.exec = async (...args) => {
    refuseInOurs()
    return original.exec(...args)
  }
  instance.runExclusive = async (run) => {
    refuseInOurs()
    return original.runExclusive(run)
  }
  instance.transaction = async (run) => {
    refuseInOurs()
    const mark: OpenTransaction = { ours: false, ended: false }
    const { promise: ended, resolve } = Promise.withResolvers<void>()
    try {
      return await original.transaction((tx) => {
        watched.theirs = ended
        return inside.run(mark, () => run(tx))
      })
    } finally {
      mark.ended = true
      if (watched.theirs === ended) watched.theirs = null
      resolve()
    }
  }
  return watched
}

/** Kysely runs the app's code beside PGlite's callback, not inside it, so all that can be seen there is that the wait does not end. */
const endOf = async (theirs: Promise<unknown>, operation: string): Promise<void> => {
  const patience = Promise.withResolvers<never>()
  const timer = setTimeout(() => patience.reject(new RindleError('transaction_not_passed', { operation })), patienceMs)
  try {
    await Promise.race([theirs, patience.promise])
  } finally {
    clearTimeout(timer)
  }
}
