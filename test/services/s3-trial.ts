import { adapterOf } from '../../src/adapters/storage/s3/adapter.ts'
import { bucketOf, type Sizes, usualSizes } from '../../src/adapters/storage/s3/bucket.ts'
import { connectionTo } from '../../src/adapters/storage/s3/connection.ts'
import { type S3Options, settingsOf } from '../../src/adapters/storage/s3/options.ts'
import type { StorageAdapter } from '../../src/core/ports/storage.ts'
import { type S3Server, startS3Server } from './s3-server.ts'

/** The S3 adapter with sizes that a test can move. */
export const s3With = (options: S3Options, sizes: Partial<Sizes> = {}): StorageAdapter =>
  adapterOf(bucketOf(connectionTo(settingsOf(options)), { ...usualSizes, ...sizes }))

export type S3Trial = {
  readonly server: S3Server
  /** An adapter over the server, unless options say otherwise. */
  store(options?: Partial<S3Options>, sizes?: Partial<Sizes>): Promised<StorageAdapter>
} & AsyncDisposable

/** An adapter that has everything it may have. */
type Promised<T> = { readonly [K in keyof T]-?: NonNullable<T[K]> }

/** A server of its own, which ends with the block. */
export async function openS3(given: { readonly sessionToken?: string } = {}): Promise<S3Trial> {
  const server = await startS3Server(given)
  const { endpoint, bucket, region, credentials } = server
  const store: S3Trial['store'] = (options, sizes) => {
    const { signPut, signGet, publicUrl, multipart, maxPutBytes, ...rest } = s3With(
      { endpoint, bucket, region, credentials, ...options },
      sizes,
    )
    return { ...rest, signPut: signPut!, signGet: signGet!, publicUrl: publicUrl!, multipart: multipart!, maxPutBytes: maxPutBytes! }
  }
  return { server, store, [Symbol.asyncDispose]: () => server.close() }
}

/** The bytes in chunks of `chunkBytes`, and whether somebody stopped it. */
export function sourceOf(bytes: Uint8Array, chunkBytes = 64 * 1024): { readonly stream: ReadableStream<Uint8Array>; stopped(): boolean } {
  let at = 0
  let stopped = false
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (at < bytes.byteLength) controller.enqueue(bytes.slice(at, at + chunkBytes))
      at += chunkBytes
      if (at >= bytes.byteLength) controller.close()
    },
    cancel: () => void (stopped = true),
  })
  return { stream, stopped: () => stopped }
}

export async function collect<T>(listed: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const one of listed) found.push(one)
  return found
}
