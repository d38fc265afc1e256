import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, readdir, readFile, readlink, rm, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { local } from '../../adapters/storage/local.ts'
import { memory } from '../../adapters/storage/memory.ts'
import { createStores } from '../../adapters/storage/stores.ts'
import type { StorageAdapter } from '../../core/ports/storage.ts'
import { fetchSealed } from './fetch-sealed.ts'

const key = 'sealed/a/original.bin'
const kibibyte = 1024

describe('fetching sealed bytes', () => {
  let folder: string
  let files = 0
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'rindle-fetch-'))
  })
  after(() => rm(folder, { recursive: true }))

  const stores: readonly [string, () => StorageAdapter][] = [
    ['a folder, which fills the reader’s buffer', () => local({ directory: join(folder, `store-${++files}`) })],
    ['memory, which hands out chunks of its own', () => memory({ name: `fetch-${++files}` })],
  ]
  const stored = async (store: StorageAdapter, bytes: Uint8Array<ArrayBuffer>) => {
    await store.put(key, new Blob([bytes]).stream(), { contentType: 'application/octet-stream', sizeBytes: bytes.byteLength })
    const ctx = { stores: createStores({ profiles: {}, stores: [store] }), host: { freeBytes: () => Infinity } }
    const path = join(folder, `received-${++files}`)
    return {
      path,
      fetch: (signal = new AbortController().signal) => fetchSealed(ctx, { object: { store: store.id, key }, path, signal }),
    }
  }

  for (const [name, createStore] of stores) {
    for (const byteSize of [0, 1, 256 * kibibyte, 256 * kibibyte + 1, 1024 * kibibyte, 2048 * kibibyte, 3000 * kibibyte + 7]) {
      it(`brings ${byteSize} bytes out of ${name}, with their hash`, async () => {
        const bytes = Uint8Array.from(randomBytes(byteSize))
        const { path, fetch } = await stored(createStore(), bytes)
        assert.deepEqual(await fetch(), { byteSize, sha256: createHash('sha256').update(bytes).digest('hex') })
        assert.ok((await readFile(path)).equals(bytes))
      })
    }
  }

  it('refuses a file that became shorter while it was read, and holds it open no longer', async () => {
    const directory = join(folder, `store-${++files}`)
    const path = join(directory, key)
    const store = local({ directory })
    const read: StorageAdapter['read'] = async (...asked) => {
      const found = await store.read(...asked)
      await truncate(path, 1024 * kibibyte + 1)
      return found
    }
    const { fetch } = await stored({ ...store, read }, Uint8Array.from(randomBytes(3000 * kibibyte)))
    await assert.rejects(fetch(), { code: 'storage_failed' })
    assert.equal(await openedAt(path), 0)
  })

  it('stops where it is told to, and holds the file open no longer', { timeout: 10_000 }, async () => {
    const directory = join(folder, `store-${++files}`)
    const { fetch } = await stored(local({ directory }), new Uint8Array(16 * 1024 * kibibyte))
    const controller = new AbortController()
    const fetching = fetch(controller.signal)
    setTimeout(() => controller.abort(new Error('enough')), 2)
    await assert.rejects(fetching, { message: 'enough' })
    while ((await openedAt(join(directory, key))) > 0) await setImmediate()
  })
})

/** How many descriptors of this process lead to `path`. */
const openedAt = async (path: string): Promise<number> => {
  const links = await Promise.all((await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')))
  return links.filter((link) => link === path).length
}
