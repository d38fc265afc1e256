import assert from 'node:assert/strict'
import { isRindleError, type ErrorCode } from '../../core/errors.ts'
import type { ByteRange, ListedObject, StorageAdapter, StorageCapability } from '../../core/ports/storage.ts'

export interface StorageContractContext {
  /** A folder below `unmanaged/`, with a slash at its end, in which nothing lies: another one for every case. */
  readonly folder: string
}

/** One promise of the storage contract. It rejects when the adapter breaks it. */
export interface StorageContractCase {
  readonly name: string
  /** Adapters that do not claim this make no such promise. */
  readonly needs?: StorageCapability
  run(adapter: StorageAdapter, context: StorageContractContext): Promise<void>
}

export const text = 'text/plain'
export const encode = (value: string): Uint8Array => new TextEncoder().encode(value)

/** Bytes that differ wherever two neighbours or two seeds are confused. */
export const patternOf = (length: number, seed = 1): Uint8Array => {
  const bytes = new Uint8Array(length)
  for (let index = 0; index < length; index += 1) bytes[index] = index * 31 + (index >> 8) * 7 + seed * 101
  return bytes
}

export const streamOf = (bytes: Uint8Array, chunkBytes = 64 * 1024): ReadableStream<Uint8Array> => {
  let at = 0
  return new ReadableStream<Uint8Array>({
    pull(controller) {
      if (at < bytes.byteLength) controller.enqueue(bytes.slice(at, at + chunkBytes))
      at += chunkBytes
      if (at >= bytes.byteLength) controller.close()
    },
  })
}

/** Sends `bytes`, and then goes on as `goOn` says, each time that more is asked for. */
export const streamThat = (bytes: Uint8Array, goOn: (controller: ReadableStreamDefaultController<Uint8Array>) => void | Promise<void>) => {
  const seen = { cancelled: false }
  let sent = false
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (sent) return goOn(controller)
        sent = true
        controller.enqueue(bytes)
      },
      cancel() {
        seen.cancelled = true
      },
    },
    { highWaterMark: 0 },
  )
  return { stream, seen }
}

export const put = (adapter: StorageAdapter, key: string, bytes: Uint8Array | string) => {
  const body = typeof bytes === 'string' ? encode(bytes) : bytes
  return adapter.put(key, streamOf(body), { contentType: text, sizeBytes: body.byteLength })
}

export const bytesAt = async (adapter: StorageAdapter, key: string, range?: ByteRange): Promise<Uint8Array> => {
  const found = await adapter.read(key, range ? { range } : {})
  assert.ok(found, `nothing can be read at ${key}`)
  return new Uint8Array(await new Response(found.body).arrayBuffer())
}

export const listed = async (adapter: StorageAdapter, prefix: string): Promise<ListedObject[]> => {
  const objects: ListedObject[] = []
  for await (const object of adapter.list(prefix)) objects.push(object)
  return objects
}

export const keysBelow = async (adapter: StorageAdapter, prefix: string): Promise<string[]> =>
  (await listed(adapter, prefix)).map((object) => object.key)

export const rejectsWith = async (code: ErrorCode, run: () => Promise<unknown>): Promise<void> =>
  assert.rejects(run, (err) => (isRindleError(err) ? err.code === code : false), `it did not reject with ${code}`)

export const assertNothing = async (adapter: StorageAdapter, key: string, folder: string): Promise<void> => {
  assert.equal(await adapter.head(key), null)
  assert.equal(await adapter.read(key), null)
  assert.deepEqual(await keysBelow(adapter, folder), [])
}
