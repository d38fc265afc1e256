import { after, describe, it } from 'node:test'
import { guardedStore } from '../../src/adapters/storage/object-store.ts'
import { s3 } from '../../src/adapters/storage/s3.ts'
import type { StorageAdapter, StorageCapability } from '../../src/core/ports/storage.ts'
import { storageContract } from '../../src/testing/storage-contract.ts'
import { openBucket, skipWithoutGateway } from '../services/bucket.ts'

/** The guarded front offers every method and throws where the adapter behind it cannot: it is no adapter by shape. */
const isAboutShape = (name: string): boolean => name.startsWith('has an id')

const inBucket = async (options: { readonly versioned?: boolean } = {}): Promise<StorageAdapter> => {
  const { bucket, endpoint, region, credentials, close } = await openBucket(options)
  after(close)
  return s3({ bucket, endpoint, region, credentials, service: 'ceph' })
}

/** For servers that do not keep what the adapter counts on. */
const without = (capability: StorageCapability, adapter: StorageAdapter): StorageAdapter => ({
  ...adapter,
  capabilities: adapter.capabilities.difference(new Set([capability])),
})

const storages: Readonly<Record<string, () => Promise<StorageAdapter>>> = {
  s3: () => inBucket(),
  's3 behind its guards': async () => guardedStore(await inBucket()),
  // Where it keeps versions, Ceph's gateway 16 takes no notice of If-None-Match.
  's3 in a bucket that keeps versions': async () => without('create_only_put', await inBucket({ versioned: true })),
}

for (const [name, open] of Object.entries(storages)) {
  const adapter = skipWithoutGateway ? null : await open()
  describe(`storage: ${name}`, { skip: skipWithoutGateway, concurrency: 4 }, () => {
    for (const [index, promise] of storageContract.entries()) {
      if (!adapter || ('supports' in adapter && isAboutShape(promise.name))) continue
      if (promise.needs !== undefined && !adapter.capabilities.has(promise.needs)) continue
      it(promise.name, () => promise.run(adapter, { folder: `unmanaged/contract/${index}/` }))
    }
  })
}
