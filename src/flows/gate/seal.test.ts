import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { memory } from '../../adapters/storage/memory.ts'
import { createStores } from '../../adapters/storage/stores.ts'
import type { StorageAdapter } from '../../core/ports/storage.ts'
import { seal } from './seal.ts'

const signal = new AbortController().signal
const stream = (text: string) => new Blob([text]).stream()
const contentType = 'text/plain'

/** A store that copies whatever lies there, whatever it is told, and remembers what it was told. */
const heedless = (bare: StorageAdapter, told: object[], before: () => Promise<void>): StorageAdapter => ({
  ...bare,
  capabilities: new Set(['hosted', 'create_only_put']),
  async copy(from, to, { ifMatch, version } = {}) {
    told.push({ ifMatch, version })
    await before()
    return bare.copy(from, to)
  },
})

const place = (key: string, etag: string | null, version: string | null = null) => ({
  ...({ id: 'x', role: 'staging', store: 'memory:default', key, etag, version } as const),
})

describe('sealing', () => {
  const open = async (before: (bare: StorageAdapter) => Promise<void> = async () => {}) => {
    const bare = memory()
    const { etag } = await bare.put('staging/a/b', stream('verified'), { contentType })
    const told: object[] = []
    const ctxOf = (storage: StorageAdapter) => ({ stores: createStores({ profiles: { a: { storage } } }) })
    return { etag, told, sure: ctxOf(bare), heedless: ctxOf(heedless(bare, told, () => before(bare))) }
  }
  const swap = async (bare: StorageAdapter) => {
    await bare.delete('staging/a/b')
    await bare.put('staging/a/b', stream('swapped!'), { contentType })
  }

  it('tells every store which bytes and which version were meant', async () => {
    const { etag, told, heedless } = await open()
    assert.ok(await seal(heedless, { source: place('staging/a/b', etag, 'v7'), sealed: place('sealed/a/b', null), signal }))
    assert.deepEqual(told, [{ ifMatch: etag, version: 'v7' }])
  })

  it('looks at the source again where the store may not listen', async () => {
    const { etag, heedless } = await open(swap)
    assert.equal(await seal(heedless, { source: place('staging/a/b', etag), sealed: place('sealed/a/b', null), signal }), null)
  })

  it('takes the word of a store that makes sure', async () => {
    const { etag, sure } = await open()
    assert.ok(await seal(sure, { source: place('staging/a/b', etag), sealed: place('sealed/a/b', null), signal }))
    assert.equal(await seal(sure, { source: place('staging/a/b', 'another'), sealed: place('sealed/a/c', null), signal }), null)
  })

  it('has nothing to compare with where no etag is on record, and says when nothing is there', async () => {
    const { told, heedless } = await open(swap)
    assert.ok(await seal(heedless, { source: place('staging/a/b', null), sealed: place('sealed/a/b', null), signal }))
    assert.equal(await seal(heedless, { source: place('staging/a/none', null), sealed: place('sealed/a/c', null), signal }), null)
    assert.deepEqual(told[0], { ifMatch: undefined, version: undefined })
  })
})
