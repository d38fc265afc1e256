import { AsyncLocalStorage } from 'node:async_hooks'
import { CompiledQuery, type Kysely } from 'kysely'
import { RindleError } from '../../core/errors.ts'
import { splitStatements } from '../split-statements.ts'
import { translated } from '../sql-error.ts'
import { rowsByName } from '../values.ts'
import { type Carrier, type Executor, lockedFirst } from './carrier.ts'

type AnyKysely = Pick<Kysely<unknown>, 'executeQuery' | 'withoutPlugins' | 'getExecutor' | 'transaction'>

interface Mark {
  ended: boolean
}

/** A Kysely that the app has made: its connections, its transactions; no notification. Its plugins do not see our statements. */
export const kyselyCarrier = (given: AnyKysely): Carrier => {
  const single = !given.getExecutor().adapter.supportsMultipleConnections
  const inside = single ? watch(given) : null
  const plain = given.withoutPlugins()

  /** On its one connection a call made inside the app's open transaction would wait for it. */
  const refuseInside = () => {
    const mark = inside?.getStore()
    if (mark && !mark.ended) throw new RindleError('transaction_not_passed', { operation: 'A call' })
  }

  return {
    engine: single ? 'pglite' : 'postgres',
    async open() {
      await kyselyExecutor(plain).execute('select 1 as one', [])
    },
    async execute(text, values) {
      refuseInside()
      return kyselyExecutor(plain).execute(text, values)
    },
    async transaction(body, lockFirst) {
      refuseInside()
      try {
        const begun = plain.transaction()
        return await (single ? begun : begun.setIsolationLevel('read committed')).execute(async (tx) =>
          body(await lockedFirst(kyselyExecutor(tx), lockFirst)),
        )
      } catch (err) {
        throw translated(err, 'transaction')
      }
    },
    listen: async () => null,
    close: async () => {},
  }
}

/** Statements through a Kysely or a transaction of one. */
export const kyselyExecutor = (kysely: Pick<AnyKysely, 'executeQuery' | 'withoutPlugins'>): Executor => {
  const plain = kysely.withoutPlugins()
  const execute: Executor['execute'] = async (text, values) => {
    try {
      const { rows, numAffectedRows } = await plain.executeQuery<Record<string, unknown>>(CompiledQuery.raw(text, [...values]))
      return { rows: rowsByName(rows), affected: numAffectedRows === undefined ? null : Number(numAffectedRows) }
    } catch (err) {
      throw translated(err, 'query')
    }
  }
  return {
    execute,
    async script(text) {
      for (const statement of splitStatements(text)) await execute(statement, [])
    },
  }
}

const watching = Symbol.for('rindle.kysely.watched')

/** Wraps `transaction` in place, once, so that what is called inside one can be told by its async context. */
const watch = (given: AnyKysely & { [watching]?: AsyncLocalStorage<Mark> }): AsyncLocalStorage<Mark> => {
  const known = given[watching]
  if (known) return known
  const inside = new AsyncLocalStorage<Mark>()
  const original = given.transaction.bind(given)
  given[watching] = inside
  given.transaction = () => wrapBuilder(original(), inside)
  return inside
}

const wrapBuilder = <B extends object>(builder: B, inside: AsyncLocalStorage<Mark>): B =>
  new Proxy(builder, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property)
      if (typeof value !== 'function') return value
      if (property !== 'execute') {
        return (...args: unknown[]) => {
          const next: unknown = value.apply(target, args)
          return typeof next === 'object' && next !== null && 'execute' in next ? wrapBuilder(next, inside) : next
        }
      }
      return async (run: (tx: unknown) => Promise<unknown>) => {
        const mark: Mark = { ended: false }
        try {
          return await value.call(target, (tx: unknown) => inside.run(mark, () => run(tx)))
        } finally {
          mark.ended = true
        }
      }
    },
  })
