import assert from 'node:assert/strict'
import { isRindleError, RindleError } from '../../core/errors.ts'
import { encode, patternOf, put, bytesAt, rejectsWith, type StorageContractCase } from './trial.ts'

/** What was put comes back, whole or in part. */
export const readingCases: readonly StorageContractCase[] = [
  {
    name: 'reads a range, both ends included, and says how long the whole is',
    async run(adapter, { folder }) {
      const bytes = patternOf(700_000)
      await put(adapter, `${folder}a`, bytes)
      for (const [start, end] of [
        [0, 0],
        [0, 699_999],
        [1, 2],
        [65_535, 65_536],
        [123_456, 654_321],
        [699_999, 699_999],
      ] as const)
        assert.ok(
          Buffer.from(bytes.subarray(start, end + 1)).equals(await bytesAt(adapter, `${folder}a`, { start, end })),
          `${start}-${end}`,
        )
      const found = await adapter.read(`${folder}a`, { range: { start: 10, end: 19 } })
      assert.equal(found?.sizeBytes, 700_000)
      await found?.body.cancel()
    },
  },
  {
    name: 'cuts a range at the end of the object',
    async run(adapter, { folder }) {
      await put(adapter, `${folder}a`, 'hello world')
      assert.deepEqual(await bytesAt(adapter, `${folder}a`, { start: 6, end: 1_000_000 }), encode('world'))
    },
  },
  {
    name: 'refuses a range that lies beyond the end',
    async run(adapter, { folder }) {
      await put(adapter, `${folder}a`, 'hello world')
      await put(adapter, `${folder}empty`, '')
      for (const [key, start, end] of [
        ['a', 11, 11],
        ['a', 400, 500],
        ['empty', 0, 0],
      ] as const)
        await assert.rejects(
          async () => adapter.read(folder + key, { range: { start, end } }),
          (err) => isRindleError(err) && err.code === 'object_range_invalid' && err.details.sizeBytes === (key === 'a' ? 11 : 0),
        )
    },
  },
  {
    name: 'can be read by many at once, and from the start again',
    async run(adapter, { folder }) {
      const bytes = patternOf(1_500_000)
      await put(adapter, `${folder}a`, bytes)
      const copies = await Promise.all(Array.from({ length: 8 }, () => bytesAt(adapter, `${folder}a`)))
      for (const copy of copies) assert.ok(Buffer.from(bytes).equals(copy))
    },
  },
  {
    name: 'does not let a reader change what it holds',
    async run(adapter, { folder }) {
      await put(adapter, `${folder}a`, 'hello world')
      const found = await adapter.read(`${folder}a`)
      for await (const chunk of found?.body ?? []) chunk.fill(0)
      assert.deepEqual(await bytesAt(adapter, `${folder}a`), encode('hello world'))
    },
  },
  {
    name: 'can stop being read in the middle',
    async run(adapter, { folder }) {
      await put(adapter, `${folder}a`, patternOf(2_000_000))
      const reader = (await adapter.read(`${folder}a`))?.body.getReader()
      assert.ok(reader)
      assert.equal((await reader.read()).done, false)
      await reader.cancel()
      assert.equal((await reader.read()).done, true)
      await adapter.delete(`${folder}a`)
      assert.equal(await adapter.head(`${folder}a`), null)
    },
  },
  {
    name: 'ends a body with the reason of its signal',
    async run(adapter, { folder }) {
      await put(adapter, `${folder}a`, patternOf(4_000_000))
      const controller = new AbortController()
      const reader = (await adapter.read(`${folder}a`, { signal: controller.signal }))?.body.getReader()
      assert.ok(reader)
      await reader.read()
      controller.abort(new RindleError('lease_lost', {}))
      await rejectsWith('lease_lost', async () => {
        while (!(await reader.read()).done);
      })
    },
  },
]
