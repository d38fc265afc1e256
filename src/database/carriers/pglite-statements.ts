import type { messages, PGlite } from '@electric-sql/pglite'
import { SqlError } from '../sql-error.ts'
import { parsers } from '../values.ts'

const needed = [
  'ready',
  'serializers',
  'parsers',
  'execProtocolStream',
  'syncToFs',
  '_runExclusiveQuery',
  '_runExclusiveTransaction',
] as const

/** What PGlite shows of its protocol; the methods with an underscore are what its own `query` runs in. */
type Server = Pick<PGlite, (typeof needed)[number]>
type Peer = Pick<typeof import('@electric-sql/pglite'), 'parse' | 'protocol'>
type Results = ReturnType<Peer['parse']['parseResults']>[number]

interface Prepared {
  readonly name: string
  readonly parameterTypes: readonly number[]
  /** What the server said of its columns, as it stands before the rows of a statement without a name. */
  readonly columns: readonly messages.BackendMessage[]
  uses: number
}

/** Statements that are parsed once and then run by name, on the one session of an instance. */
export interface NamedStatements {
  /** Null where the text is used for the first time: most of those are not used again. Errors are PGlite's. */
  run(text: string, values: readonly unknown[], inTransaction: boolean): Promise<Results> | null
}

/** Most plans take 80 kB, and a whole life of a file needs thirty. */
const namesLimit = 100
const textsLimit = 1_000
/** A plan lives no longer: nothing analyzes tables in PGlite, so nothing else would tell it that they have grown. */
const usesLimit = 1_000

const statementsKey = Symbol.for('rindle.pglite.statements')

/**
 * Those of an instance, for all that use it: names are the session's. Parsing and planning are nearly all that a large statement costs in
 * PGlite, and `query` does both every time. Null where the instance has no protocol to speak, as one behind a worker.
 */
export const namedStatements = async (instance: object & { [statementsKey]?: NamedStatements }): Promise<NamedStatements | null> => {
  if (!isServer(instance)) return null
  const peer = await import('@electric-sql/pglite').catch(() => null)
  if (!peer) return null
  return (instance[statementsKey] ??= statementsOn(instance, peer))
}

const isServer = <T extends object>(instance: T): instance is T & Server => needed.every((name) => name in instance)

const statementsOn = (server: Server, { parse, protocol: { serialize } }: Peer): NamedStatements => {
  const seen = new Set<string>()
  /** The one used last stands last. */
  const kept = new Map<string, Prepared>()
  const goodbyes: Uint8Array[] = []
  /** Once for all: `query` puts these hundreds together for every statement, which takes as long as a small one. */
  const readers = { ...server.parsers, ...parsers }
  let named = 0

  const send = (...parts: readonly Uint8Array[]) =>
    server.execProtocolStream(Buffer.concat([...goodbyes.splice(0), ...parts, serialize.sync()]), { syncToFs: false })

  const forget = (text: string): void => {
    const { name } = kept.get(text) ?? {}
    if (name === undefined) return
    kept.delete(text)
    goodbyes.push(serialize.close({ type: 'S', name }))
  }

  const prepare = async (text: string): Promise<Prepared> => {
    const name = `rindle_${(named += 1)}`
    const said = await send(serialize.parse({ name, text }), serialize.describe({ type: 'S', name }))
    const columns = said.filter((message) => message.name === 'rowDescription')
    return { name, parameterTypes: parse.parseDescribeStatementResults(said), columns, uses: 0 }
  }

  const find = async (text: string): Promise<Prepared> => {
    if ((kept.get(text)?.uses ?? 0) >= usesLimit) forget(text)
    const statement = kept.get(text) ?? (await prepare(text))
    statement.uses += 1
    kept.delete(text)
    kept.set(text, statement)
    const [oldest] = kept.keys()
    if (kept.size > namesLimit && oldest !== undefined) forget(oldest)
    return statement
  }

  const execute = async (text: string, values: readonly unknown[]): Promise<Results> => {
    const { name, parameterTypes, columns } = await find(text)
    const bound = values.map((value, i) => written(value, server.serializers[parameterTypes[i] ?? 0]))
    const said = await send(serialize.bind({ statement: name, values: bound }), serialize.execute())
    const [results] = parse.parseResults([...columns, ...said], readers)
    return results ?? { rows: [], fields: [] }
  }

  /** True where the text was forgotten, and nothing was done. */
  const forgotten = (err: unknown, text: string): boolean => {
    const why = stale(err)
    if (why === 'session') kept.clear()
    if (why === 'plan') forget(text)
    return why !== null
  }

  return {
    run(text, values, inTransaction) {
      if (!server.ready) return null
      if (!kept.has(text) && !seen.delete(text)) {
        if (seen.size >= textsLimit) seen.clear()
        seen.add(text)
        return null
      }
      const exclusively = (body: () => Promise<Results>) => server._runExclusiveQuery(body)
      if (inTransaction) {
        return exclusively(() =>
          execute(text, values).catch((err: unknown) => {
            throw forgotten(err, text) ? undone(err) : err
          }),
        )
      }
      return server._runExclusiveTransaction(() =>
        exclusively(async () => {
          const results = await execute(text, values).catch((err: unknown) => {
            if (forgotten(err, text)) return execute(text, values)
            throw err
          })
          await server.syncToFs()
          return results
        }),
      )
    },
  }
}

/** As PGlite's `query` binds it. */
const written = (value: unknown, serialize: ((value: unknown) => string) | undefined): string | null => {
  if (value === null || value === undefined) return null
  return serialize ? serialize(value) : String(value)
}

/** The app has discarded what the session held, or has changed a table so that the statement answers in another form. */
const stale = (err: unknown): 'session' | 'plan' | null => {
  if (typeof err !== 'object' || err === null || !('code' in err)) return null
  if (err.code === '26000') return 'session'
  return err.code === '0A000' && 'routine' in err && err.routine === 'RevalidateCachedQuery' ? 'plan' : null
}

/** The transaction is lost by it, but may be done again from its beginning. */
const undone = (cause: unknown): SqlError =>
  new SqlError('a statement of the transaction had been prepared before the session was changed', '40001', null, { cause })
