import { AsyncLocalStorage } from 'node:async_hooks'

interface OpenTransaction {
  readonly afterCommit: (() => void)[]
  /** The adopter commits this one, so nobody tells us when. */
  readonly foreign: boolean
}

const open = new AsyncLocalStorage<OpenTransaction>()

/** True in anything awaited from inside a transaction that we know of. Storage refuses to work there. */
export const insideTransaction = (): boolean => open.getStore() !== undefined

/** Runs `run` as the body of a transaction of ours, and what it asked for with `afterCommit` once it has committed. */
export const runInTransaction = async <T>(commit: (body: <R>(run: () => Promise<R>) => Promise<R>) => Promise<T>): Promise<T> => {
  const transaction: OpenTransaction = { afterCommit: [], foreign: false }
  const result = await commit((run) => {
    transaction.afterCommit.length = 0
    return open.run(transaction, run)
  })
  for (const run of transaction.afterCommit) run()
  return result
}

/** Runs `run` as part of a transaction that the adopter opened and will end. */
export const runInForeignTransaction = <T>(run: () => Promise<T>): Promise<T> => open.run({ afterCommit: [], foreign: true }, run)

/** Runs `run` after the open transaction has committed, at once when none is open, and never when the adopter commits it. */
export const afterCommit = (run: () => void): void => {
  const transaction = open.getStore()
  if (!transaction) run()
  else if (!transaction.foreign) transaction.afterCommit.push(run)
}
