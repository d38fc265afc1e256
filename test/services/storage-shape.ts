import type { StorageAdapter } from '../../src/core/ports/storage.ts'

const refuse = (): never => {
  throw new Error('a definition must not touch storage')
}

/** An adapter by its shape alone, for definitions: whatever calls it fails the test. */
export const memoryLike = (id: string): StorageAdapter => ({
  id,
  capabilities: new Set(['hosted']),
  put: refuse,
  head: refuse,
  read: refuse,
  copy: refuse,
  delete: refuse,
  list: refuse,
})
