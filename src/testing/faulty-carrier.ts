import type { Carrier, Executor } from '../database/carriers/carrier.ts'
import { translated } from '../database/sql-error.ts'
import { createDecider, type Decider, type FaultOptions, type Faults, type PortCall } from './faults.ts'

/**
 * What goes wrong with the database:
 * - `fail_before`: the connection is lost, and nothing has happened.
 * - `fail_after`: it takes effect, a transaction by its commit, and the connection is lost before the answer.
 * - `fail_inside`: a transaction loses its connection after its first statement, and nothing of it is kept.
 * - `slow`: it begins later, and then goes well.
 */
export type DatabaseFaultKind = 'fail_before' | 'fail_after' | 'fail_inside' | 'slow'

/** `statement` stands outside of a transaction; what is inside counts as part of it. */
export type DatabaseOperation = 'open' | 'statement' | 'transaction' | 'listen'

export type DatabaseCall = PortCall<'database', DatabaseOperation>
export type DatabaseFaultOptions = FaultOptions<DatabaseCall, DatabaseFaultKind>

export interface FaultyCarrier extends Faults<DatabaseCall, DatabaseFaultKind> {
  /** For `createTestRindle`, which hands in what carries its statements. */
  readonly carrier: (carrier: Carrier) => Carrier
}

/** What can go wrong with which call. */
export const databaseFaultsOf: Readonly<Record<DatabaseOperation, readonly DatabaseFaultKind[]>> = {
  open: ['fail_before', 'slow'],
  statement: ['fail_before', 'fail_after', 'slow'],
  transaction: ['fail_before', 'fail_after', 'fail_inside', 'slow'],
  listen: ['fail_before', 'slow'],
}

/**
 * Loses connections to the database now and then, by chance that a seed replays or by plan. Faults are `database_unavailable`, as every lost
 * connection is. What is said inside a transaction of the app's own does not pass here.
 *
 * @throws RindleError `argument_invalid`. Calls: the same when the plan names what cannot happen to the call.
 */
export const faultyCarrier = (options: DatabaseFaultOptions = {}): FaultyCarrier => {
  const decider = createDecider(options, ({ operation }: DatabaseCall) => databaseFaultsOf[operation])
  return { ...decider.faults, carrier: (carrier) => wrapped(carrier, decider) }
}

const wrapped = (carrier: Carrier, decider: Decider<DatabaseCall, DatabaseFaultKind>): Carrier => {
  const call = async <T>(operation: DatabaseOperation, said: string, run: (kind: DatabaseFaultKind | null) => Promise<T>): Promise<T> => {
    const kind = decider.decide((index) => ({ port: 'database', index, operation }))
    if (kind === 'fail_before') throw lost(said)
    if (kind === 'slow') await decider.slow()
    return run(kind)
  }
  const afterwards = async <T>(kind: DatabaseFaultKind | null, said: string, answer: Promise<T>): Promise<T> => {
    const value = await answer
    if (kind === 'fail_after') throw lost(said)
    return value
  }
  return {
    engine: carrier.engine,
    open: () => call('open', 'open', () => carrier.open()),
    execute: (text, values) => call('statement', 'query', (kind) => afterwards(kind, 'query', carrier.execute(text, values))),
    transaction: (run, lockFirst) =>
      call('transaction', 'connect', (kind) => {
        const body = kind === 'fail_inside' ? brokenOff(run) : run
        return afterwards(kind, 'commit', carrier.transaction(body, lockFirst))
      }),
    listen: (channel, hear) => call('listen', 'listen', () => carrier.listen(channel, hear)),
    close: () => carrier.close(),
  }
}

const lost = (operation: string): unknown => translated(new DOMException('Connection terminated unexpectedly', 'NetworkError'), operation)

/** The first statement is answered; whatever comes next finds the connection gone, be it the commit. */
const brokenOff =
  <T>(run: (executor: Executor) => Promise<T>) =>
  async (executor: Executor): Promise<T> => {
    let said = 0
    const { script } = executor
    const once = <A>(operation: string, say: () => Promise<A>): Promise<A> => {
      said += 1
      return said > 1 ? Promise.reject(lost(operation)) : say()
    }
    await run({
      execute: (text, values) => once('query', () => executor.execute(text, values)),
      ...(script ? { script: (text: string) => once('script', () => script(text)) } : {}),
    })
    throw lost('commit')
  }
