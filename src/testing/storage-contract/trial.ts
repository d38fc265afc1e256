import assert from 'node:assert/strict'
import { isRindleError, type ErrorCode } from '../../core/errors.ts'
import type {
  ByteRange,
  ListedObject,
  MultipartStore,
  SignedRequest,
  StorageAdapter,
  StorageCapability,
  StoredPart,
} from '../../core/ports/storage.ts'
import { type ClientAnswer, type ClientRequest, sendByFetch } from '../client-request.ts'

export interface StorageContractContext {
  /** A folder below `unmanaged/`, with a slash at its end, in which nothing lies: another one for every case. */
  readonly folder: string
  /** How a client reaches the storage. Default: over the network. */
  readonly send?: (request: ClientRequest) => Promise<ClientAnswer>
  /** The time by which the storage judges tickets. Default: the machine's. */
  readonly now?: () => Date
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

export const nowOf = ({ now }: StorageContractContext): Date => now?.() ?? new Date(performance.timeOrigin + performance.now())

/** What a client does with a ticket: sends these bytes, or something that differs from what it should. */
export const send = (
  { send: given = sendByFetch }: StorageContractContext,
  { url, method, headers }: SignedRequest,
  bytes: Uint8Array | string | null,
  other: { readonly url?: string; readonly method?: string; readonly headers?: Readonly<Record<string, string>> } = {},
): Promise<ClientAnswer> => {
  const body = typeof bytes === 'string' ? encode(bytes) : bytes
  return given({ url, method, headers, ...other, body: body === null ? null : new Uint8Array(body) })
}

export const signPut = async (
  adapter: StorageAdapter,
  context: StorageContractContext,
  key: string,
  options: { readonly sizeBytes: number; readonly sha256?: string; readonly at?: Date; readonly ttlSeconds?: number },
): Promise<SignedRequest> => {
  assert.ok(adapter.signPut, 'it claims presigned_put and has no signPut')
  return adapter.signPut(key, { at: nowOf(context), ttlSeconds: 600, contentType: text, ...options })
}

export const multipartOf = (adapter: StorageAdapter): MultipartStore => {
  assert.ok(adapter.multipart, 'it claims multipart_upload and has no multipart')
  return adapter.multipart
}

/** An upload to one key, and a client that sends its parts. */
export const beginParts = async (adapter: StorageAdapter, context: StorageContractContext, key: string) => {
  const multipart = multipartOf(adapter)
  const uploadId = await multipart.create(key, { contentType: text })
  const sign = (partNumber: number, sizeBytes: number, options: { readonly at?: Date; readonly ttlSeconds?: number } = {}) =>
    multipart.signPart(key, { uploadId, partNumber, sizeBytes, at: nowOf(context), ttlSeconds: 600, ...options })
  return {
    uploadId,
    sign,
    async part(partNumber: number, bytes: Uint8Array): Promise<void> {
      const { status } = await send(context, await sign(partNumber, bytes.byteLength), bytes)
      assert.ok(status >= 200 && status < 300, `part ${partNumber} was answered ${status}`)
    },
    async parts(): Promise<readonly StoredPart[]> {
      const parts = await multipart.listParts(key, uploadId)
      assert.ok(parts, 'the upload is not there')
      return parts
    },
  }
}

/** Every way to write a URL with one of its parameters missing, changed or added. */
export const tamperedUrls = (url: string): string[] => {
  const tampered = [...new URL(url).searchParams].flatMap(([name, value]) => {
    const [without, changed] = [new URL(url), new URL(url)]
    without.searchParams.delete(name)
    changed.searchParams.set(name, value.slice(0, -1) + (value.endsWith('1') ? '2' : '1'))
    return [without.href, changed.href]
  })
  const [more, elsewhere] = [new URL(url), new URL(url)]
  more.searchParams.set('acl', '')
  elsewhere.pathname += '0'
  return [...tampered, more.href, elsewhere.href]
}
