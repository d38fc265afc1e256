import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { memory } from '../../adapters/storage/memory.ts'
import { createStores } from '../../adapters/storage/stores.ts'
import type { StorageAdapter } from '../../core/ports/storage.ts'
import { createSettableClock } from '../../testing/clock.ts'
import { skimSealed } from './skim-sealed.ts'

describe('reading the parts of a file that its decoder asks for', () => {
  it('is the storage’s failure once all of it took half an hour', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'rindle-skim-'))
    const clock = createSettableClock()
    const bare = memory()
    const slow: StorageAdapter = {
      ...bare,
      async read(key, options) {
        if (options?.range) clock.advance(599)
        return bare.read(key, options)
      },
    }
    const size = 1_000_000
    await bare.put('sealed/a/b', new Blob([new Uint8Array(size)]).stream(), { contentType: 'audio/flac' })
    const ctx = { stores: createStores({ profiles: { a: { storage: slow } } }), clock, host: { freeBytes: () => Infinity } }
    const path = join(folder, 'received')
    const object = { store: bare.id, key: 'sealed/a/b' }
    const skimmed = await skimSealed(ctx, { object, path, mayBeText: false, signal: new AbortController().signal })
    assert.ok(skimmed?.excerpt && existsSync(path))
    const { read } = skimmed.excerpt
    for (let ask = 0; ask < 3; ask += 1) assert.equal((await read(500_000, 500_100)).byteLength, 100)
    await assert.rejects(read(500_000, 500_100), { code: 'storage_failed' })
    rmSync(folder, { recursive: true })
  })
})
