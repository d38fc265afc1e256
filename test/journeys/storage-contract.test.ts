import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { local } from '../../src/adapters/storage/local.ts'
import { memory } from '../../src/adapters/storage/memory.ts'
import { guardedStore } from '../../src/adapters/storage/object-store.ts'
import type { StorageAdapter } from '../../src/core/ports/storage.ts'
import { createSettableClock } from '../../src/testing/clock.ts'
import { createMemoryBucket } from '../../src/testing/memory-bucket.ts'
import { storageContract } from '../../src/testing/storage-contract.ts'

const folder = await mkdtemp(join(tmpdir(), 'rindle-storage-'))
after(() => rm(folder, { recursive: true, force: true }))

/** The guarded front offers every method and throws where the adapter behind it cannot: it is no adapter by shape. */
const isAboutShape = (name: string): boolean => name.startsWith('has an id')

const adapters: Readonly<Record<string, StorageAdapter>> = {
  memory: memory(),
  local: local({ directory: join(folder, 'plain') }),
  'bucket in memory': createMemoryBucket({ clock: createSettableClock() }).adapter,
  'memory behind its guards': guardedStore(memory()),
  'local behind its guards': guardedStore(local({ directory: join(folder, 'guarded') })),
}

for (const [name, adapter] of Object.entries(adapters))
  describe(`storage: ${name}`, () => {
    for (const [index, promise] of storageContract.entries()) {
      if ('supports' in adapter && isAboutShape(promise.name)) continue
      it(promise.name, { skip: promise.needs !== undefined && !adapter.capabilities.has(promise.needs) }, () =>
        promise.run(adapter, { folder: `unmanaged/contract/${index}/` }),
      )
    }
  })
