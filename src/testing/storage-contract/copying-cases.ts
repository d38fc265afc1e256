import assert from 'node:assert/strict'
import { patternOf, put, bytesAt, keysBelow, assertNothing, rejectsWith, type StorageContractCase } from './trial.ts'

/** Copies, etags and deletions. */
export const copyingCases: readonly StorageContractCase[] = [
  {
    name: 'copies to a fresh key; the copy stands alone',
    async run(adapter, { folder }) {
      const bytes = patternOf(1_200_000)
      const source = await put(adapter, `${folder}a`, bytes)
      const copied = await adapter.copy(`${folder}a`, `${folder}deep/er/b`)
      assert.equal(copied?.sizeBytes, source.sizeBytes)
      assert.equal(copied?.contentType, source.contentType)
      assert.deepEqual(await adapter.head(`${folder}deep/er/b`), copied)
      assert.deepEqual(await adapter.head(`${folder}a`), source)
      await adapter.delete(`${folder}a`)
      assert.ok(Buffer.from(bytes).equals(await bytesAt(adapter, `${folder}deep/er/b`)))
    },
  },
  {
    name: 'copies an empty object',
    async run(adapter, { folder }) {
      await put(adapter, `${folder}a`, '')
      assert.equal((await adapter.copy(`${folder}a`, `${folder}b`))?.sizeBytes, 0)
    },
  },
  {
    name: 'copies what still has the etag, and nothing that differs',
    needs: 'conditional_copy',
    async run(adapter, { folder }) {
      const first = await put(adapter, `${folder}a`, 'first')
      assert.equal((await adapter.copy(`${folder}a`, `${folder}b`, { ifMatch: first.etag }))?.sizeBytes, 5)
      await adapter.delete(`${folder}a`)
      await put(adapter, `${folder}a`, 'replaced')
      assert.equal(await adapter.copy(`${folder}a`, `${folder}c`, { ifMatch: first.etag }), null)
      assert.equal(await adapter.copy(`${folder}a`, `${folder}c`, { ifMatch: 'another' }), null)
      assert.deepEqual(await keysBelow(adapter, folder), [`${folder}a`, `${folder}b`])
    },
  },
  {
    name: 'copies with patches in the place of bytes, wherever they lie, and keeps length and type',
    needs: 'patched_copy',
    async run(adapter, { folder }) {
      const mebibyte = 1024 * 1024
      for (const [length, starts] of [
        [1_000, [0, 500, 993]],
        [17 * mebibyte + 5, [3, 8 * mebibyte - 3, 8 * mebibyte + 100]],
        [17 * mebibyte + 5, [17 * mebibyte - 2]],
      ] as const) {
        const [from, to] = [`${folder}${starts.length}-${length}`, `${folder}patched/${starts.length}-${length}`]
        const bytes = patternOf(length)
        const source = await put(adapter, from, bytes)
        const patches = starts.map((start, index) => ({ start, bytes: patternOf(7, 50 + index) }))
        const copied = await adapter.copy(from, to, { ifMatch: source.etag, patches })
        assert.deepEqual([copied?.sizeBytes, copied?.contentType], [length, source.contentType])
        assert.deepEqual(await adapter.head(to), copied)
        assert.ok(Buffer.from(bytes).equals(await bytesAt(adapter, from)))
        for (const patch of patches) bytes.set(patch.bytes, patch.start)
        assert.ok(Buffer.from(bytes).equals(await bytesAt(adapter, to)))
      }
    },
  },
  {
    name: 'copies nothing with patches that reach beyond the end, or of a source that is not there',
    needs: 'patched_copy',
    async run(adapter, { folder }) {
      await put(adapter, `${folder}a`, 'hello')
      const patches = [{ start: 4, bytes: patternOf(2) }]
      await rejectsWith('object_range_invalid', () => adapter.copy(`${folder}a`, `${folder}b`, { patches }))
      assert.equal(await adapter.copy(`${folder}none`, `${folder}b`, { patches }), null)
      assert.deepEqual(await keysBelow(adapter, folder), [`${folder}a`])
    },
  },
  {
    name: 'keeps an etag while the bytes stay, and gives another to other bytes',
    async run(adapter, { folder }) {
      const first = await put(adapter, `${folder}a`, 'first')
      assert.equal((await adapter.head(`${folder}a`))?.etag, first.etag)
      assert.equal((await adapter.head(`${folder}a`))?.etag, first.etag)
      await adapter.delete(`${folder}a`)
      assert.notEqual((await put(adapter, `${folder}a`, 'a second')).etag, first.etag)
    },
  },
  {
    name: 'deletes what is there, and succeeds when nothing is',
    async run(adapter, { folder }) {
      await put(adapter, `${folder}a/b/c`, 'c')
      await adapter.delete(`${folder}a/b/c`)
      await assertNothing(adapter, `${folder}a/b/c`, folder)
      await adapter.delete(`${folder}a/b/c`)
      await adapter.delete(`${folder}never/was/there`)
    },
  },
  {
    name: 'deletes one object and no other',
    async run(adapter, { folder }) {
      for (const name of ['a/b', 'a/bc', 'a/b.c', 'ab']) await put(adapter, folder + name, name)
      await adapter.delete(`${folder}a/b`)
      await adapter.delete(`${folder}a`)
      assert.deepEqual(await keysBelow(adapter, folder), [`${folder}a/b.c`, `${folder}a/bc`, `${folder}ab`])
    },
  },
]
