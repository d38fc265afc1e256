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
export const patternOf = (length: number, seed = 1): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => (index * 31 + (index >> 8) * 7 + seed * 101) & 0xff)

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

/** Sends `bytes` and then waits for what never comes, unless `then` says how it goes on. */
export const unfinishedStream = (bytes: Uint8Array, then?: (controller: ReadableStreamDefaultController<Uint8Array>) => void) => {
  const seen = { cancelled: false }
  let sent = false
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (!sent) controller.enqueue(bytes)
        else if (then) then(controller)
        else return new Promise<void>(() => undefined)
        sent = true
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
