import type { StorageAdapter } from '../../src/core/ports/storage.ts'

/** Where a process ends: before or after that call has taken effect. `lost`: it goes on, but the answer never reached it. */
export interface Ending {
  readonly at: 'create' | 'complete' | 'put' | 'abort'
  readonly effect: 'none' | 'done'
  readonly then: 'gone' | 'lost'
}

/** Storage as a process sees it that ends in the middle of a call: nobody hears of anything any more. */
export const vanishing = (adapter: StorageAdapter, ending: Ending | null, vanish: () => void): StorageAdapter => {
  const { multipart } = adapter
  const call = async <T>(at: Ending['at'], run: () => Promise<T>): Promise<T> => {
    if (ending?.at !== at) return run()
    if (ending.effect === 'done') await run().catch(() => undefined)
    if (ending.then === 'lost') throw new Error('the connection was lost')
    vanish()
    return new Promise<never>(() => undefined)
  }
  return {
    ...adapter,
    put: (key, body, options) => call('put', () => adapter.put(key, body, options)),
    ...(multipart
      ? {
          multipart: {
            ...multipart,
            create: (key, options) => call('create', () => multipart.create(key, options)),
            complete: (key, id, parts, options) => call('complete', () => multipart.complete(key, id, parts, options)),
            abort: (key, id, options) => call('abort', () => multipart.abort(key, id, options)),
          },
        }
      : {}),
  }
}
