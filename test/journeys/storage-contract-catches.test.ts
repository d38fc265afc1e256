import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { memory } from '../../src/adapters/storage/memory.ts'
import { RindleError } from '../../src/core/errors.ts'
import type { ListedObject, StorageAdapter } from '../../src/core/ports/storage.ts'
import { storageContract, type StorageContractCase } from '../../src/testing/storage-contract.ts'

const collect = async (list: AsyncIterable<ListedObject>): Promise<ListedObject[]> => {
  const all: ListedObject[] = []
  for await (const one of list) all.push(one)
  return all
}

interface Breaker {
  /** How the name of the case begins that must notice. */
  readonly breaks: string
  readonly adapter: (sound: StorageAdapter) => Partial<StorageAdapter>
}

/** Adapters that each break one promise, made from one that keeps them all. */
const breakers: Readonly<Record<string, Breaker>> = {
  'replaces what is there': {
    breaks: 'refuses a second put',
    adapter: (sound) => ({
      async put(key, body, options) {
        const bytes = new Uint8Array(await new Response(body).arrayBuffer())
        await sound.delete(key)
        return sound.put(key, new Blob([bytes]).stream(), options)
      },
    }),
  },
  'does not count what comes': {
    breaks: 'leaves nothing of a stream that is longer',
    adapter: (sound) => ({
      put: (key, body, { sizeBytes: _, ...options }) => sound.put(key, body, options),
    }),
  },
  'keeps what came before the source broke': {
    breaks: 'leaves nothing of a stream that breaks',
    adapter: (sound) => ({
      async put(key, body, options) {
        const chunks: Uint8Array<ArrayBuffer>[] = []
        try {
          for await (const chunk of body) chunks.push(new Uint8Array(chunk))
        } catch (err) {
          await sound.put(key, new Blob(chunks).stream(), { contentType: options.contentType })
          throw err
        }
        return sound.put(key, new Blob(chunks).stream(), options)
      },
    }),
  },
  'ignores ranges': {
    breaks: 'reads a range',
    adapter: (sound) => ({ read: (key, { range: _, ...options } = {}) => sound.read(key, options) }),
  },
  'takes the end of a range for exclusive': {
    breaks: 'reads a range',
    adapter: (sound) => ({
      read: (key, { range, ...options } = {}) =>
        sound.read(key, range ? { ...options, range: { start: range.start, end: range.end - 1 } } : options),
    }),
  },
  'answers nothing for a range beyond the end': {
    breaks: 'refuses a range',
    adapter: (sound) => ({
      read: (key, options) =>
        sound.read(key, options).catch((err: unknown) => {
          if (err instanceof RindleError && err.code === 'object_range_invalid') return null
          throw err
        }),
    }),
  },
  'copies whatever the etag': {
    breaks: 'copies what still has the etag',
    adapter: (sound) => ({ copy: (from, to, { ifMatch: _, ...options } = {}) => sound.copy(from, to, options) }),
  },
  'has one etag for everything': {
    breaks: 'keeps an etag while',
    adapter: (sound) => ({
      async put(key, body, options) {
        return { ...(await sound.put(key, body, options)), etag: 'same' }
      },
      async head(key, options) {
        const head = await sound.head(key, options)
        return head && { ...head, etag: 'same' }
      },
    }),
  },
  'throws where nothing is': {
    breaks: 'answers null',
    adapter: (sound) => ({
      async head(key, options) {
        const head = await sound.head(key, options)
        if (!head) throw new RindleError('object_not_found', {})
        return head
      },
    }),
  },
  'fails to delete what is not there': {
    breaks: 'deletes what is there',
    adapter: (sound) => ({
      async delete(key, options) {
        if (!(await sound.head(key))) throw new RindleError('object_not_found', {})
        await sound.delete(key, options)
      },
    }),
  },
  'deletes whole folders': {
    breaks: 'deletes one object',
    adapter: (sound) => ({
      async delete(key, options) {
        for (const one of await collect(sound.list(key))) await sound.delete(one.key, options)
      },
    }),
  },
  'lists in no order': {
    breaks: 'lists everything below',
    adapter: (sound) => ({
      async *list(prefix, options) {
        yield* (await collect(sound.list(prefix, options))).reverse()
      },
    }),
  },
  'lists in the order of UTF-16': {
    breaks: 'lists everything below',
    adapter: (sound) => ({
      async *list(prefix, options) {
        yield* (await collect(sound.list(prefix, options))).sort((one, other) => (one.key < other.key ? -1 : 1))
      },
    }),
  },
  'lists folders only': {
    breaks: 'lists by the beginning',
    adapter: (sound) => ({
      list: (prefix, options) => sound.list(prefix.slice(0, prefix.lastIndexOf('/') + 1), options),
    }),
  },
  'does not hear signals': {
    breaks: 'leaves nothing of a put that was aborted',
    adapter: (sound) => ({
      put: (key, body, { signal: _, ...options }) => sound.put(key, body, options),
      read: (key, { signal: _, ...options } = {}) => sound.read(key, options),
    }),
  },
  'forgets upper and lower case': {
    breaks: 'keeps keys apart',
    adapter: (sound) => ({
      put: (key, body, options) => sound.put(key.toLowerCase(), body, options),
      read: (key, options) => sound.read(key.toLowerCase(), options),
    }),
  },
  'claims to sign and cannot': {
    breaks: 'has an id',
    adapter: () => ({
      capabilities: new Set(['hosted', 'create_only_put', 'conditional_copy', 'presigned_put'] as const),
    }),
  },
}

const caseNamed = (beginning: string): StorageContractCase => {
  const [found, ...others] = storageContract.filter(({ name }) => name.startsWith(beginning))
  assert.ok(found && others.length === 0, `there is not one case that begins with: ${beginning}`)
  return found
}

describe('the storage contract', () => {
  for (const [breach, { breaks, adapter }] of Object.entries(breakers))
    it(`notices an adapter that ${breach}`, { timeout: 30_000 }, async () => {
      const promise = caseNamed(breaks)
      await promise.run(memory(), { folder: 'unmanaged/sound/' })
      const sound = memory()
      await assert.rejects(() => promise.run({ ...sound, ...adapter(sound) }, { folder: 'unmanaged/broken/' }))
    })

  it('asks an adapter only for what it claims', () => {
    assert.deepEqual([...new Set(storageContract.flatMap(({ needs }) => needs ?? []))].sort(), ['conditional_copy', 'create_only_put'])
  })
})
