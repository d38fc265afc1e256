import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { memory } from '../adapters/storage/memory.ts'
import { isRindleError, RindleError } from '../core/errors.ts'
import type { StorageAdapter } from '../core/ports/storage.ts'
import { createSettableClock } from './clock.ts'
import { faultyStorage, type StorageFaultKind, type StorageOperation } from './faulty-storage.ts'
import { storageFaultsOf } from './faulty-storage/kinds.ts'
import { createMemoryBucket } from './memory-bucket.ts'

const text = 'text/plain'
const streamOf = (bytes: string) => new Blob([bytes]).stream()
const collect = async <T>(list: AsyncIterable<T>, into: T[] = []): Promise<T[]> => {
  for await (const one of list) into.push(one)
  return into
}
const readAt = async (adapter: StorageAdapter, key: string): Promise<string | null> => {
  const found = await adapter.read(key)
  return found && new Response(found.body).text()
}

/** A bucket with two objects, and an upload of one part to `staging/parts`. */
const openStand = async () => {
  const clock = createSettableClock()
  const bucket = createMemoryBucket({ clock })
  const sound = bucket.adapter
  assert.ok(sound.multipart && sound.signPut && sound.signGet)
  for (const key of ['staging/a', 'staging/b']) await sound.put(key, streamOf('hello'), { contentType: text })
  const parts = sound.multipart
  const uploadId = await parts.create('staging/parts', { contentType: text })
  await parts.create('staging/parts', { contentType: text })
  const at = clock.now()
  const ticket = await parts.signPart('staging/parts', { uploadId, partNumber: 1, sizeBytes: 5, at, ttlSeconds: 60 })
  await bucket.send({ ...ticket, body: new Uint8Array(5) })
  return { clock, sound, parts, uploadId, at }
}
type Stand = Awaited<ReturnType<typeof openStand>>

interface Trial {
  run(adapter: StorageAdapter, stand: Stand, signal: AbortSignal): Promise<unknown>
  /** Whether it took effect; of what only reads, null. */
  happened(stand: Stand): Promise<boolean | null>
}

const reads = async () => null
const signing = (at: Date) => ({ at, ttlSeconds: 60 })
const multipartOf = ({ multipart }: StorageAdapter) => {
  assert.ok(multipart)
  return multipart
}
const uploadsIn = async ({ parts }: Stand): Promise<number> => (await collect(parts.list(''))).length

const trials: Readonly<Record<StorageOperation, Trial>> = {
  put: {
    run: (adapter, _, signal) => adapter.put('staging/new', streamOf('new'), { contentType: text, signal }),
    happened: async ({ sound }) => (await readAt(sound, 'staging/new')) === 'new',
  },
  head: { run: (adapter, _, signal) => adapter.head('staging/a', { signal }), happened: reads },
  read: { run: (adapter, _, signal) => adapter.read('staging/a', { signal }), happened: reads },
  copy: {
    run: (adapter, _, signal) => adapter.copy('staging/a', 'sealed/x/y', { signal }),
    happened: async ({ sound }) => (await readAt(sound, 'sealed/x/y')) === 'hello',
  },
  delete: {
    run: (adapter, _, signal) => adapter.delete('staging/a', { signal }),
    happened: async ({ sound }) => (await sound.head('staging/a')) === null,
  },
  list: { run: (adapter, _, signal) => collect(adapter.list('staging/', { signal })), happened: reads },
  signPut: {
    run: async (adapter, { at }) => adapter.signPut?.('staging/new', { ...signing(at), contentType: text, sizeBytes: 3 }),
    happened: reads,
  },
  signGet: {
    run: async (adapter, { at }) => adapter.signGet?.('staging/a', { ...signing(at), contentType: text, contentDisposition: 'inline' }),
    happened: reads,
  },
  create: {
    run: (adapter, _, signal) => multipartOf(adapter).create('staging/new', { contentType: text, signal }),
    happened: async (stand) => (await uploadsIn(stand)) === 3,
  },
  signPart: {
    run: (adapter, { at, uploadId }) =>
      multipartOf(adapter).signPart('staging/parts', { ...signing(at), uploadId, partNumber: 1, sizeBytes: 5 }),
    happened: reads,
  },
  listParts: {
    run: (adapter, { uploadId }, signal) => multipartOf(adapter).listParts('staging/parts', uploadId, { signal }),
    happened: reads,
  },
  complete: {
    async run(adapter, { parts, uploadId }, signal) {
      const listed = (await parts.listParts('staging/parts', uploadId)) ?? []
      return multipartOf(adapter).complete('staging/parts', uploadId, listed, { signal })
    },
    happened: async ({ sound }) => (await sound.head('staging/parts')) !== null,
  },
  abort: {
    run: (adapter, { uploadId }, signal) => multipartOf(adapter).abort('staging/parts', uploadId, { signal }),
    happened: async (stand) => (await uploadsIn(stand)) === 1,
  },
  listUploads: { run: (adapter, _, signal) => collect(multipartOf(adapter).list('staging/', { signal })), happened: reads },
}

const isFailure = (err: unknown): boolean => isRindleError(err) && err.code === 'storage_failed' && err.retryable

type Judge = (run: () => Promise<unknown>, stand: Stand, operation: StorageOperation) => Promise<boolean>

/** How each kind is seen by the caller. @returns whether what was called should have happened. */
const judges: Readonly<Record<Exclude<StorageFaultKind, 'hang'>, Judge>> = {
  async fail_before(run) {
    await assert.rejects(run, isFailure)
    return false
  },
  async fail_after(run) {
    await assert.rejects(run, isFailure)
    return true
  },
  async http_5xx(run) {
    await assert.rejects(run, isFailure)
    return false
  },
  async ok_with_error(run) {
    await assert.rejects(run, isFailure)
    return false
  },
  async slow(run, { clock }) {
    let isDone = false
    const running = run().then(() => (isDone = true))
    await new Promise((resolve) => setTimeout(resolve, 2))
    clock.advance(4)
    await new Promise((resolve) => setTimeout(resolve, 2))
    assert.equal(isDone, false)
    clock.advance(1)
    await running
    return true
  },
  async cut_body(run, _, operation) {
    assert.equal(operation, 'read')
    const found = await run()
    assert.ok(typeof found === 'object' && found && 'body' in found && found.body instanceof ReadableStream)
    const body = await new Response(found.body).text()
    assert.ok(body.length < 5 && 'hello'.startsWith(body))
    return true
  },
}

for (const [operation, kinds] of Object.entries(storageFaultsOf))
  describe(`a fault in ${operation}`, () => {
    for (const kind of kinds)
      it(kind, async () => {
        const name = operationNamed(operation)
        const stand = await openStand()
        const { adapter, log } = faultyStorage(stand.sound, { plan: () => kind, slowMs: 5000, clock: stand.clock })
        const controller = new AbortController()
        const run = () => trials[name].run(adapter, stand, controller.signal)
        if (kind === 'hang') {
          const hanging = assert.rejects(run(), (err) => isRindleError(err) && err.code === 'lease_lost')
          await new Promise((resolve) => setTimeout(resolve, 5))
          assert.notEqual(await trials[name].happened(stand), true)
          controller.abort(new RindleError('lease_lost', {}))
          await hanging
          assert.notEqual(await trials[name].happened(stand), true)
        } else {
          const expected = await judges[kind](run, stand, name)
          const happened = await trials[name].happened(stand)
          if (happened !== null) assert.equal(happened, expected)
        }
        assert.deepEqual(
          log.map((fault) => [fault.index, fault.operation, fault.kind]),
          [[0, operation, kind]],
        )
      })
  })

const operationNamed = (name: string): StorageOperation => {
  const found = Object.keys(trials).find((one): one is StorageOperation => one === name)
  assert.ok(found)
  return found
}

describe('a storage with faults', () => {
  const play = async (options: Parameters<typeof faultyStorage>[1]) => {
    const { adapter, log } = faultyStorage(memory(), options)
    for (let i = 0; i < 200; i += 1) {
      await adapter.put(`staging/${i}`, streamOf('x'), { contentType: text }).catch(() => undefined)
      await adapter.head(`staging/${i}`).catch(() => undefined)
    }
    return log
  }
  const kinds = ['fail_before', 'fail_after', 'http_5xx'] as const

  it('has them by its seed, about as often as was asked', async () => {
    const log = await play({ seed: 7, rate: 0.2, kinds })
    assert.deepEqual(await play({ seed: 7, rate: 0.2, kinds }), log)
    assert.notDeepEqual(await play({ seed: 8, rate: 0.2, kinds }), log)
    assert.ok(log.length > 50 && log.length < 110, String(log.length))
    assert.deepEqual([...new Set(log.map(({ kind }) => kind))].sort(), [...kinds].sort())
    assert.equal((await play({ rate: 0 })).length, 0)
    assert.equal((await play({ rate: 1, kinds: ['fail_before'] })).length, 400)
  })

  it('has only those that can happen to the call', async () => {
    assert.equal((await play({ rate: 1, kinds: ['cut_body', 'ok_with_error'] })).length, 0)
    const { adapter } = faultyStorage(memory(), { plan: () => 'cut_body' })
    await assert.rejects(
      () => adapter.head('staging/a'),
      (err) => isRindleError(err) && err.code === 'argument_invalid',
    )
    assert.throws(() => faultyStorage(memory(), { rate: 2 }), { code: 'argument_invalid' })
  })

  it('is sound while it is calm', async () => {
    const faulty = faultyStorage(memory(), { rate: 1, kinds: ['fail_before'] })
    await assert.rejects(() => faulty.adapter.head('staging/a'))
    faulty.calm()
    assert.equal(await faulty.adapter.head('staging/a'), null)
    faulty.rouse()
    await assert.rejects(() => faulty.adapter.head('staging/a'))
    assert.deepEqual(
      faulty.log.map(({ index }) => index),
      [0, 2],
    )
  })

  it('breaks a list off before its last entry', async () => {
    const { sound } = await openStand()
    const seen: { readonly key: string }[] = []
    const { adapter } = faultyStorage(sound, { plan: () => 'fail_after' })
    await assert.rejects(() => collect<{ readonly key: string }>(adapter.list('staging/'), seen), isFailure)
    assert.deepEqual(
      seen.map(({ key }) => key),
      ['staging/a'],
    )
  })

  it('lets go of a body that it does not take', async () => {
    const { adapter } = faultyStorage(memory(), { rate: 1, kinds: ['fail_before'] })
    let isCancelled = false
    const body = new ReadableStream<Uint8Array>({ cancel: () => void (isCancelled = true) })
    await assert.rejects(() => adapter.put('staging/a', body, { contentType: text }))
    assert.ok(isCancelled)
  })

  it('gives what its adapter cannot do to nobody', () => {
    const { adapter } = faultyStorage(memory())
    assert.deepEqual([adapter.signPut, adapter.signGet, adapter.publicUrl, adapter.multipart], [undefined, undefined, undefined, undefined])
  })
})
