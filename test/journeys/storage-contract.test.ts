import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { local } from '../../src/adapters/storage/local.ts'
import { memory } from '../../src/adapters/storage/memory.ts'
import { guardedStore } from '../../src/adapters/storage/object-store.ts'
import type { StorageAdapter } from '../../src/core/ports/storage.ts'
import { createSettableClock } from '../../src/testing/clock.ts'
import { faultyStorage } from '../../src/testing/faulty-storage.ts'
import { createMemoryBucket } from '../../src/testing/memory-bucket.ts'
import { storageContract, type StorageContractContext } from '../../src/testing/storage-contract.ts'

const folder = await mkdtemp(join(tmpdir(), 'rindle-storage-'))
after(() => rm(folder, { recursive: true, force: true }))

/** The guarded front offers every method and throws where the adapter behind it cannot: it is no adapter by shape. */
const isAboutShape = (name: string): boolean => name.startsWith('has an id')

interface Tried {
  readonly adapter: StorageAdapter
  /** For storages that clients do not reach over the network. */
  readonly client?: Pick<StorageContractContext, 'send' | 'now'>
}

const clock = createSettableClock()
const bucketNamed = (name: string, guarded: boolean): Tried => {
  const { adapter, send } = createMemoryBucket({ name, clock })
  return { adapter: guarded ? guardedStore(adapter) : adapter, client: { send, now: () => clock.now() } }
}
const calm = createMemoryBucket({ name: 'calm', clock })
const heedless = createMemoryBucket({ name: 'heedless', clock, versioned: true, honours: { createOnly: false, ifMatch: false } })

const storages: Readonly<Record<string, Tried>> = {
  memory: { adapter: memory() },
  local: { adapter: local({ directory: join(folder, 'plain') }) },
  'bucket in memory': bucketNamed('plain', false),
  'bucket in memory that honours no condition and keeps versions': {
    adapter: heedless.adapter,
    client: { send: heedless.send, now: () => clock.now() },
  },
  'bucket in memory to whose calls nothing happens': {
    adapter: faultyStorage(calm.adapter, { rate: 0 }).adapter,
    client: { send: calm.send, now: () => clock.now() },
  },
  'memory behind its guards': { adapter: guardedStore(memory()) },
  'local behind its guards': { adapter: guardedStore(local({ directory: join(folder, 'guarded') })) },
  'bucket in memory behind its guards': bucketNamed('guarded', true),
}

for (const [name, { adapter, client }] of Object.entries(storages))
  describe(`storage: ${name}`, () => {
    for (const [index, promise] of storageContract.entries()) {
      if ('supports' in adapter && isAboutShape(promise.name)) continue
      if (promise.needs !== undefined && !adapter.capabilities.has(promise.needs)) continue
      it(promise.name, () => promise.run(adapter, { folder: `unmanaged/contract/${index}/`, ...client }))
    }
  })
