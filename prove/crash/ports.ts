import { AsyncLocalStorage } from 'node:async_hooks'
import { setImmediate as soon } from 'node:timers/promises'
import type { Jail } from '../../src/core/ports/jail.ts'
import type { Queue } from '../../src/core/ports/queue.ts'
import type { StorageAdapter } from '../../src/core/ports/storage.ts'
import type { Carrier, Executor } from '../../src/database/carriers/carrier.ts'
import { effectOf, effectOfAll } from './effects.ts'
import type { Passing } from './passing.ts'

const scope = new AsyncLocalStorage<string>()

/** Whatever `run` does to the outside, `who` does. */
export const as = <T>(who: string, run: () => T): T => scope.run(who, run)

/**
 * Every port through which a process touches the outside, with a point after each touch; and one before each that is not a statement: whoever
 * dies before a statement leaves what the touch before it had left.
 */
export interface Ports {
  carrier(carrier: Carrier): Carrier
  queue(queue: Queue): Queue
  storage(adapter: StorageAdapter): StorageAdapter
  jail(jail: Jail): Jail
  /** Touches something else. */
  touch<T>(what: string, run: () => Promise<T>): Promise<T>
}

/** `fallback` is who touches where nobody said who. */
export const createPorts = ({ pass }: Passing, fallback: string): Ports => {
  const point = (what: string, when: string): Promise<void> => pass(`${scope.getStore() ?? fallback}: ${what}: ${when}`)
  const touch = async <T>(what: string, run: () => Promise<T>): Promise<T> => {
    await point(what, 'before')
    const result = await run()
    await point(what, 'after')
    return result
  }
  const noting = (executor: Executor, effects: string[]): Executor => ({
    ...executor,
    execute(text, values) {
      const effect = effectOf(text)
      if (effect !== null) effects.push(effect)
      return executor.execute(text, values)
    },
  })
  const queued = (name: string) => (scope.getStore() === undefined ? `${fallback} ${name}` : `${scope.getStore()}`)

  return {
    touch,
    carrier: (carrier) => ({
      ...carrier,
      async execute(text, values) {
        const result = await carrier.execute(text, values)
        const effect = effectOf(text)
        if (effect !== null) await point(effect, 'after')
        return result
      },
      async transaction(run, lockFirst) {
        const effects: string[] = []
        const result = await carrier.transaction(async (executor) => {
          const kept = await run(noting(executor, effects))
          if (effects.length > 0) await point(effectOfAll(effects), 'inside')
          return kept
        }, lockFirst)
        if (effects.length > 0) await point(effectOfAll(effects), 'after')
        return result
      },
    }),
    queue: (queue) => ({
      ...queue,
      fetch: (name, limit) => as(queued('fetches'), () => queue.fetch(name, limit)),
      complete: (jobs) => as(queued('completes'), () => queue.complete(jobs)),
      tidy: () => as(queued('tidies'), () => queue.tidy()),
    }),
    storage: (adapter) => ({
      ...adapter,
      put: (key, body, options) => {
        const what = `puts ${roleOf(key)}`
        const piped = body.pipeThrough(flowing(() => point(what, 'during')))
        return touch(what, () => adapter.put(key, piped, options).catch(async (err: unknown) => (await letGo(piped), Promise.reject(err))))
      },
      copy: (from, to, options) => touch(`copies to ${roleOf(to)}`, () => adapter.copy(from, to, options)),
      delete: (key, options) => touch(`deletes ${roleOf(key)}`, () => adapter.delete(key, options)),
      ...(adapter.multipart ? { multipart: inParts(adapter.multipart, touch) } : {}),
    }),
    jail: (jail) => ({
      ...jail,
      visit: (visit) =>
        touch(`${visit.purpose}s in the jail`, async () => {
          const visiting = jail.visit(visit)
          visiting.catch(() => undefined)
          await soon()
          await point(`${visit.purpose}s in the jail`, 'during')
          return visiting
        }),
    }),
  }
}

const inParts = (parts: NonNullable<StorageAdapter['multipart']>, touch: Ports['touch']): NonNullable<StorageAdapter['multipart']> => ({
  ...parts,
  create: (key, options) => touch('begins parts', () => parts.create(key, options)),
  complete: (key, uploadId, list, options) => touch('completes parts', () => parts.complete(key, uploadId, list, options)),
  abort: (key, uploadId, options) => touch('aborts parts', () => parts.abort(key, uploadId, options)),
})

/** Of what is no longer read, the source is closed. */
const letGo = (stream: ReadableStream<Uint8Array>): Promise<void> => (stream.locked ? Promise.resolve() : stream.cancel())

/** Staging, sealed, variants or unmanaged: the folder that a key begins with. */
const roleOf = (key: string): string => key.split('/', 1)[0] ?? ''

const flowing = (passed: () => Promise<void>): TransformStream<Uint8Array, Uint8Array> =>
  new TransformStream({
    async transform(chunk, controller) {
      controller.enqueue(chunk)
      await passed()
    },
  })
