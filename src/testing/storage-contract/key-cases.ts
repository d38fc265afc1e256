import assert from 'node:assert/strict'
import { encode, put, bytesAt, listed, keysBelow, type StorageContractCase } from './trial.ts'

/** Keys, their order, and many of them at once. */
export const keyCases: readonly StorageContractCase[] = [
  {
    name: 'lists everything below a prefix in the order of the keys’ bytes',
    async run(adapter, { folder }) {
      const names = ['a', 'a b', 'a-b/x', 'a.b', 'a0', 'aa/x', 'aa/y/z', 'aa0', 'b/1', 'b/10', 'b/2', 'Z', 'z', 'é', '\uff5e', '😀']
      for (const name of names.toReversed()) await put(adapter, folder + name, name)
      const sorted = names.toSorted((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)))
      assert.deepEqual(
        await keysBelow(adapter, folder),
        sorted.map((name) => folder + name),
      )
    },
  },
  {
    name: 'lists by the beginning of the key, which need not be a folder',
    async run(adapter, { folder }) {
      for (const name of ['a/1', 'a/2', 'ab', 'abc/3', 'b']) await put(adapter, folder + name, name)
      assert.deepEqual(await keysBelow(adapter, `${folder}a/`), [`${folder}a/1`, `${folder}a/2`])
      assert.deepEqual(await keysBelow(adapter, `${folder}ab`), [`${folder}ab`, `${folder}abc/3`])
      assert.deepEqual(await keysBelow(adapter, `${folder}abc/3`), [`${folder}abc/3`])
      assert.deepEqual(await keysBelow(adapter, `${folder}c`), [])
      assert.deepEqual(await keysBelow(adapter, `${folder}c/d/`), [])
    },
  },
  {
    name: 'lists how long objects are and when they were written',
    async run(adapter, { folder }) {
      await put(adapter, `${folder}a`, 'hello')
      const [object, ...rest] = await listed(adapter, folder)
      assert.equal(rest.length, 0)
      assert.equal(object?.sizeBytes, 5)
      assert.ok(object.modifiedAt instanceof Date && !Number.isNaN(object.modifiedAt.getTime()))
    },
  },
  {
    name: 'goes on listing while what it lists is deleted',
    async run(adapter, { folder }) {
      for (let index = 0; index < 20; index += 1) await put(adapter, `${folder}${String(index).padStart(2, '0')}/x`, 'x')
      const seen: string[] = []
      for await (const { key } of adapter.list(folder)) {
        seen.push(key)
        await adapter.delete(key)
      }
      assert.equal(new Set(seen).size, 20)
      assert.deepEqual(await keysBelow(adapter, folder), [])
    },
  },
  {
    name: 'keeps keys apart whatever they are written in',
    async run(adapter, { folder }) {
      const names = [
        '日本語/写真 1.jpg',
        'Ärger.pdf',
        'a',
        'A',
        'a b+c&d=e',
        '100%.txt',
        '%2e%2e',
        'it\'s "quoted"',
        '#?*<>|;$',
        '..a',
        '...',
        '-',
        '~',
        '👩‍👩‍👧.png',
      ]
      for (const name of names) await put(adapter, folder + name, name)
      for (const name of names) assert.deepEqual(await bytesAt(adapter, folder + name), encode(name))
      assert.equal((await listed(adapter, folder)).length, names.length)
      for (const name of names) await adapter.delete(folder + name)
      assert.deepEqual(await keysBelow(adapter, folder), [])
    },
  },
  {
    name: 'keeps keys as long as they may be',
    async run(adapter, { folder }) {
      const wide = `${folder}${'w'.repeat(255)}`
      const room = 1024 - folder.length
      const long = folder + 'd/'.repeat(room).slice(0, room - (room % 2 === 0 ? 2 : 1)) + 'e'.repeat(room % 2 === 0 ? 2 : 1)
      assert.equal(long.length, 1024)
      for (const key of [wide, long]) {
        await put(adapter, key, 'long')
        assert.deepEqual(await bytesAt(adapter, key), encode('long'))
      }
      assert.equal((await listed(adapter, folder)).length, 2)
    },
  },
  {
    name: 'takes many objects at once, and lets go of many while others come',
    async run(adapter, { folder }) {
      const keys = Array.from({ length: 60 }, (_, index) => `${folder}${index % 5}/${index % 3}/${index}`)
      await Promise.all(keys.map((key) => put(adapter, key, key)))
      assert.equal((await listed(adapter, folder)).length, 60)
      await Promise.all(keys.map((key, index) => (index % 2 === 0 ? adapter.delete(key) : put(adapter, `${key}-new`, key))))
      assert.equal((await listed(adapter, folder)).length, 60)
      await Promise.all(keys.map((key) => Promise.all([adapter.delete(key), adapter.delete(`${key}-new`)])))
      assert.deepEqual(await keysBelow(adapter, folder), [])
    },
  },
]
