import type { Clock } from '../../src/core/clock.ts'
import type { Jail } from '../../src/core/ports/jail.ts'
import type { StorageAdapter } from '../../src/core/ports/storage.ts'
import { createRandom } from '../harness.ts'

/** What goes wrong besides: deaths alone never lead to what is done when a call takes long, or fails. */
export interface Trouble {
  storage(adapter: StorageAdapter): StorageAdapter
  jail(jail: Jail): Jail
}

/** Of calls that write, and of files that are opened, each in a hundred. */
const slowPercent = 3
const failingPercent = 2
/** Longer than a third of a lease, so that it is renewed. */
const slowMs = 130_000

/** `seed` tells the troubles of one process from those of another. */
export const createTrouble = (clock: Clock, seed: number): Trouble => {
  const random = createRandom(seed)
  const isOneOf = (percent: number): boolean => random.chance(percent / 100)
  const slowly = async (): Promise<void> => {
    if (isOneOf(slowPercent)) await clock.sleep(slowMs)
  }
  const troubled = async <T>(run: () => Promise<T>): Promise<T> => {
    await slowly()
    if (isOneOf(failingPercent)) throw new RangeError('the store is out of order')
    return run()
  }
  return {
    storage: (adapter) => ({
      ...adapter,
      put: (key, body, options) => troubled(() => adapter.put(key, body, options)),
      copy: (from, to, options) => troubled(() => adapter.copy(from, to, options)),
      delete: (key, options) => troubled(() => adapter.delete(key, options)),
      ...(adapter.multipart ? { multipart: inParts(adapter.multipart, troubled) } : {}),
    }),
    jail: (jail) => ({ ...jail, visit: (visit) => slowly().then(() => jail.visit(visit)) }),
  }
}

type Parts = NonNullable<StorageAdapter['multipart']>

const inParts = (parts: Parts, troubled: <T>(run: () => Promise<T>) => Promise<T>): Parts => ({
  ...parts,
  create: (key, options) => troubled(() => parts.create(key, options)),
  complete: (key, uploadId, list, options) => troubled(() => parts.complete(key, uploadId, list, options)),
  abort: (key, uploadId, options) => troubled(() => parts.abort(key, uploadId, options)),
})
