import { AsyncLocalStorage } from 'node:async_hooks'
import { RindleError } from '../core/errors.ts'

interface OpenTransaction {
  readonly afterCommit: (() => void)[]
  /** The adopter commits this one, so nobody tells us when. */
  readonly foreign: boolean
  /** What was started in it and goes on when it has ended, such as a timer, is no longer inside. */
  ended: boolean
}

const open = new AsyncLocalStorage<OpenTransaction>()

const current = (): OpenTransaction | null => {
  const transaction = open.getStore()
  return transaction && !transaction.ended ? transaction : null
}

/** True in anything awaited from inside a transaction that we know of. Storage refuses to work there. */
export const insideTransaction = (): boolean => current() !== null

/**
 * Runs `run` as the body of a transaction of ours, and what it asked for with `afterCommit` once it has committed. The body may be run
 * again; what an attempt that was rolled back asked for is forgotten.
 *
 * @throws RindleError `transaction_not_passed` inside another transaction: the inner one would wait for the outer.
 */
export const runInTransaction = async <T>(commit: (body: <R>(run: () => Promise<R>) => Promise<R>) => Promise<T>): Promise<T> => {
  if (insideTransaction()) throw new RindleError('transaction_not_passed', { operation: 'A second transaction' })
  const transaction: OpenTransaction = { afterCommit: [], foreign: false, ended: false }
  const result = await commit(async (run) => {
    transaction.afterCommit.length = 0
    transaction.ended = false
    try {
      return await open.run(transaction, run)
    } finally {
      transaction.ended = true
    }
  })
  for (const run of transaction.afterCommit) run()
  return result
}

/** Runs `run` as part of a transaction that the adopter opened and will end. */
export const runInForeignTransaction = async <T>(run: () => Promise<T>): Promise<T> => {
  const transaction: OpenTransaction = { afterCommit: [], foreign: true, ended: false }
  try {
    return await open.run(transaction, run)
  } finally {
    transaction.ended = true
  }
}

/** Runs `run` after the open transaction has committed, at once when none is open, and never when the adopter commits it. */
export const afterCommit = (run: () => void): void => {
  const transaction = current()
  if (!transaction) run()
  else if (!transaction.foreign) transaction.afterCommit.push(run)
}
