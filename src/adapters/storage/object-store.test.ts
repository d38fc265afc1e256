import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type ErrorCode, isRindleError, RindleError } from '../../core/errors.ts'
import type { StorageAdapter, StorageCapability } from '../../core/ports/storage.ts'
import { runInForeignTransaction } from '../../database/transaction.ts'
import { createSettableClock } from '../../testing/clock.ts'
import { memory } from './memory.ts'
import { guardedStore } from './object-store.ts'
import { createStores } from './stores.ts'

const body = (text = 'hello'): ReadableStream<Uint8Array> => new Blob([text]).stream()
const put = { contentType: 'text/plain' }
const rejectsWith = (code: ErrorCode, run: () => Promise<unknown>): Promise<void> =>
  assert.rejects(run, (err) => isRindleError(err) && err.code === code)
const listed = async (store: StorageAdapter, prefix: string): Promise<string[]> => {
  const keys: string[] = []
  for await (const { key } of store.list(prefix)) keys.push(key)
  return keys
}

/** An adapter that fails, or answers only after its signal has been aborted, or not even then. */
const failing = (how: (signal: AbortSignal | undefined) => Promise<never>): StorageAdapter => ({
  ...memory({ name: 'failing' }),
  put: (_key, _body, { signal }) => how(signal),
  head: (_key, { signal } = {}) => how(signal),
  read: (_key, { signal } = {}) => how(signal),
  copy: (_from, _to, { signal } = {}) => how(signal),
  delete: (_key, { signal } = {}) => how(signal),
  async *list(_prefix, { signal } = {}) {
    yield await how(signal)
  },
})

const everyCall = (store: StorageAdapter): readonly (() => Promise<unknown>)[] => [
  () => store.put('staging/s/o', body(), put),
  () => store.head('staging/s/o'),
  () => store.read('staging/s/o'),
  () => store.copy('staging/s/o', 'sealed/a/o'),
  () => store.delete('staging/s/o'),
]

const forever = (): Promise<never> => new Promise(() => undefined)

describe('the guarded front of a store', () => {
  it('touches nothing while a transaction is open, in anything awaited from it', async () => {
    const adapter = memory()
    await adapter.put('staging/s/o', body(), put)
    const store = guardedStore(adapter)
    await runInForeignTransaction(async () => {
      for (const call of everyCall(store)) await rejectsWith('storage_inside_transaction', call)
      await rejectsWith('storage_inside_transaction', () => listed(store, ''))
      await Promise.resolve().then(() => rejectsWith('storage_inside_transaction', () => store.head('staging/s/o')))
    })
    assert.equal((await store.head('staging/s/o'))?.sizeBytes, 5)
    assert.deepEqual(await listed(store, ''), ['staging/s/o'])
  })

  it('lets no key through that could mean two things', async () => {
    const store = guardedStore(memory())
    for (const key of ['', '/a', 'unmanaged/../a', 'unmanaged/A\u0308', 'sealed/ä']) {
      await rejectsWith('object_key_invalid', () => store.put(key, body(), put))
      await rejectsWith('object_key_invalid', () => store.head(key))
      await rejectsWith('object_key_invalid', () => store.copy('unmanaged/a', key))
      await rejectsWith('object_key_invalid', () => store.delete(key))
    }
  })

  it('refuses to sign for an adapter that cannot, by name of what is missing', async () => {
    const store = guardedStore(memory({ name: 'm' }))
    const at = new Date('2026-01-01T12:00:00Z')
    await assert.rejects(
      () => store.signPut('staging/s/o', { at, ttlSeconds: 60, contentType: 'text/plain', sizeBytes: 5 }),
      (err) =>
        isRindleError(err) &&
        err.code === 'upload_unsupported' &&
        err.details.capability === 'presigned_put' &&
        'store' in err.details &&
        err.details.store === 'memory:m',
    )
    await assert.rejects(
      () => store.signGet('sealed/a/o', { at, ttlSeconds: 60, contentType: 'text/plain', contentDisposition: 'inline' }),
      (err) => isRindleError(err) && err.code === 'delivery_unsupported' && err.details.capability === 'signed_url',
    )
    assert.deepEqual([store.supports('hosted'), store.supports('presigned_put'), store.supports('signed_url')], [true, false, false])
  })

  it('passes signing on to an adapter that can', async () => {
    const adapter: StorageAdapter = {
      ...memory(),
      capabilities: new Set(['presigned_put']),
      signPut: async (key, { at }) => ({ url: `memory:${key}`, method: 'PUT', headers: {}, expiresAt: at }),
    }
    const at = new Date('2026-01-01T12:00:00Z')
    const signed = await guardedStore(adapter).signPut('staging/s/o', { at, ttlSeconds: 60, contentType: 'text/plain', sizeBytes: 5 })
    assert.deepEqual(signed, { url: 'memory:staging/s/o', method: 'PUT', headers: {}, expiresAt: at })
  })

  it('refuses an adapter whose claims and methods differ', () => {
    for (const adapter of [
      { ...memory(), capabilities: new Set(['presigned_put', 'signed_url'] as const) },
      { ...memory(), signGet: forever },
    ])
      assert.throws(
        () => guardedStore(adapter),
        (err) => isRindleError(err) && err.code === 'options_invalid',
      )
  })

  it('wraps a foreign error once, keeps its cause, and names the store and the call', async () => {
    const cause = new Error('the disk is on fire')
    const store = guardedStore(failing(() => Promise.reject(cause)))
    for (const call of [...everyCall(store), () => listed(store, '')])
      await assert.rejects(
        call,
        (err) => isRindleError(err) && err.code === 'storage_failed' && err.cause === cause && err.details.store === 'memory:failing',
      )
    await assert.rejects(everyCall(store)[4] ?? forever, (err) => isRindleError(err) && err.message.includes('delete'))
  })

  it('passes typed errors on as they are', async () => {
    const typed = new RindleError('object_exists', {})
    const store = guardedStore(failing(() => Promise.reject(typed)))
    for (const call of [...everyCall(store), () => listed(store, '')]) await assert.rejects(call, (err) => err === typed)
  })

  it('measures its patience by the clock that a test sets', async () => {
    const clock = createSettableClock()
    const store = guardedStore(failing(forever), {}, (ms, ring) => {
      void clock.sleep(ms).then(ring)
      return () => undefined
    })
    const asked = store.head('sealed/a/o').catch((err: unknown) => err)
    for (const seconds of [29, 2, 6]) {
      clock.advance(seconds)
      await new Promise((resolve) => setImmediate(resolve))
    }
    const err = await asked
    assert.ok(isRindleError(err) && err.code === 'storage_failed' && /30000 ms/.test(String(err.cause)), String(err))
  })

  it('ends a call that takes too long, and lets the adapter clean up first', async () => {
    const cleaned: string[] = []
    const slow = failing(
      (signal) =>
        new Promise((_, reject) => {
          signal?.addEventListener('abort', () => setTimeout(() => (cleaned.push('cleaned'), reject(signal.reason)), 20))
        }),
    )
    const store = guardedStore(slow, { putMs: 20, headMs: 20, readMs: 20, copyMs: 20, deleteMs: 20, listMs: 20 })
    for (const call of [...everyCall(store), () => listed(store, '')])
      await assert.rejects(
        call,
        (err) =>
          isRindleError(err) && err.code === 'storage_failed' && err.cause instanceof DOMException && err.cause.name === 'TimeoutError',
      )
    assert.equal(cleaned.length, 6)
  })

  it('gives a copy time by what it copies', async () => {
    const slow: StorageAdapter = {
      ...memory(),
      copy: async (_from, _to, { signal } = {}) => {
        await new Promise((resolve) => setTimeout(resolve, 120))
        signal?.throwIfAborted()
        return null
      },
    }
    const store = guardedStore(slow, { copyMs: 20 })
    const mebibyte = 1024 * 1024
    assert.equal(await store.copy('staging/s/o', 'sealed/a/o', { sizeBytes: 8 * mebibyte }), null)
    for (const options of [{}, { sizeBytes: 0.1 * mebibyte }])
      await rejectsWith('storage_failed', () => store.copy('staging/s/o', 'sealed/a/o', options))
    assert.equal(await guardedStore(slow).copy('staging/s/o', 'sealed/a/o', { sizeBytes: 2 ** 60 }), null, 'not even that ends at once')
  })

  it('comes back even when the adapter does not hear its signal', { timeout: 3_000 }, async () => {
    const store = guardedStore(failing(forever), { headMs: 20, listMs: 20, graceMs: 20 })
    await rejectsWith('storage_failed', () => store.head('staging/s/o'))
    await rejectsWith('storage_failed', () => listed(store, ''))
  })

  it('lets a list take as long as it does, and end where nobody wants more of it', async () => {
    const ended: number[] = []
    const store = guardedStore(
      {
        ...memory(),
        async *list() {
          try {
            for (let at = 0; at < 6; at += 1) {
              await new Promise((resolve) => setTimeout(resolve, 20))
              yield { key: `staging/s/${at}`, sizeBytes: 1, modifiedAt: new Date(0) }
            }
          } finally {
            ended.push(1)
          }
        },
      },
      { listMs: 60 },
    )
    assert.equal((await listed(store, '')).length, 6)
    for await (const { key } of store.list('')) if (key === 'staging/s/1') break
    assert.equal(ended.length, 2)
  })

  it('gives the caller’s own reason back when the caller aborts', async () => {
    const reason = new RindleError('lease_lost', {})
    const hearing = failing((signal) => new Promise((_, reject) => signal?.addEventListener('abort', () => reject(new Error('stopped')))))
    const controller = new AbortController()
    const store = guardedStore(hearing)
    const calls = [
      store.head('staging/s/o', { signal: controller.signal }),
      store.put('staging/s/o', body(), { ...put, signal: controller.signal }),
    ]
    controller.abort(reason)
    for (const call of calls) await assert.rejects(call, (err) => err === reason)
    await assert.rejects(
      () => store.head('staging/s/o', { signal: controller.signal }),
      (err) => err === reason,
    )
  })

  it('lets a body go on after the time for opening it, and end when the caller says so', async () => {
    const adapter = memory()
    await adapter.put('sealed/a/o', body('x'.repeat(300_000)), put)
    const controller = new AbortController()
    const reader = (await guardedStore(adapter, { readMs: 30 }).read('sealed/a/o', { signal: controller.signal }))?.body.getReader()
    await new Promise((resolve) => setTimeout(resolve, 60))
    assert.equal((await reader?.read())?.done, false)
    controller.abort(new RindleError('lease_lost', {}))
    await rejectsWith('lease_lost', async () => reader?.read())
  })
})

describe('the stores of an app', () => {
  const photos = memory({ name: 'photos' })
  const files = memory({ name: 'files' })
  const old = memory({ name: 'old' })
  const stores = createStores({
    profiles: { avatar: { storage: photos }, cover: { storage: photos }, report: { storage: files } },
    stores: [old, photos],
  })

  it('are found by profile for new bytes, and by id for those that rows name', () => {
    assert.equal(stores.of('avatar').id, 'memory:photos')
    assert.equal(stores.of('report').id, 'memory:files')
    assert.equal(stores.at('memory:old').id, 'memory:old')
    assert.equal(stores.at('memory:photos'), stores.of('cover'))
    assert.equal(stores.of('avatar'), stores.of('cover'))
  })

  it('are one for each id', () => {
    assert.deepEqual(
      stores.all().map(({ id }) => id),
      ['memory:photos', 'memory:files', 'memory:old'],
    )
  })

  it('share what the first of two adapters with one id holds', async () => {
    const shared = createStores({ profiles: { a: { storage: memory() }, b: { storage: memory() } } })
    await shared.of('a').put('unmanaged/x', body(), put)
    assert.equal((await shared.of('b').head('unmanaged/x'))?.sizeBytes, 5)
  })

  it('say what to do when a row names one that nobody gave', () => {
    assert.throws(
      () => stores.at('s3:gone/prefix'),
      (err) => isRindleError(err) && err.code === 'store_unknown' && err.message.includes('createRindle({ stores'),
    )
    assert.throws(
      () => stores.of('avatr'),
      (err) => isRindleError(err) && err.code === 'profile_unknown',
    )
    for (const name of ['constructor', '__proto__', 'toString'])
      assert.throws(
        () => stores.of(name),
        (err) => isRindleError(err),
      )
  })
})

describe('a copy with patches', () => {
  const patches = [{ start: 0, bytes: new Uint8Array(3) }]
  it('is asked for only where it is claimed, and plainly where there are none', async () => {
    const sound = memory()
    const plain = guardedStore({ ...sound, capabilities: new Set<StorageCapability>(['hosted']) })
    await rejectsWith('upload_unsupported', () => plain.copy('staging/s/o', 'sealed/a/o', { patches }))
    assert.equal(await plain.copy('staging/s/o', 'sealed/a/o', { patches: [] }), null)
    assert.equal(await guardedStore(sound).copy('staging/s/o', 'sealed/a/o', { patches }), null)
  })

  it('takes patches in order that do not overlap, and nothing else', async () => {
    const bytes = new Uint8Array(3)
    for (const wrong of [
      [
        { start: 4, bytes },
        { start: 0, bytes },
      ],
      [
        { start: 0, bytes },
        { start: 2, bytes },
      ],
      [{ start: -1, bytes }],
      [{ start: 0.5, bytes }],
      [{ start: 0, bytes: new Uint8Array() }],
    ])
      await rejectsWith('argument_invalid', () => guardedStore(memory()).copy('staging/s/o', 'sealed/a/o', { patches: wrong }))
  })
})
