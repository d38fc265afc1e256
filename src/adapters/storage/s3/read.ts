import type { Readable } from 'node:stream'
import { RindleError } from '../../../core/errors.ts'
import type { ByteRange, ObjectBody, StorageAdapter } from '../../../core/ports/storage.ts'
import { spanOf } from '../byte-range.ts'
import type { Bucket } from './bucket.ts'
import type { Connected } from './connection.ts'
import { answerOf, failureOf } from './failure.ts'
import { headOf, inTime, lookAt, nullWhenMissing } from './head.ts'

/** What is not longer is taken at once, so that a body that nobody reads holds no connection. */
const smallBytes = 64 * 1024

interface Reading {
  readonly bucket: Bucket
  readonly connected: Connected
  /** As the bucket knows it. */
  readonly key: string
  readonly signal: AbortSignal | undefined
}

/** GET, for as long as somebody reads. */
export const readObject =
  (bucket: Bucket): StorageAdapter['read'] =>
  (key, { signal, range } = {}) =>
    bucket.connection.call('read', signal, async (connected) => {
      const reading = { bucket, connected, key: bucket.keyOf(key), signal }
      if (range && !(Number.isSafeInteger(range.start) && range.start >= 0 && range.start <= range.end)) return outside(reading, range)
      try {
        return await get(reading, range)
      } catch (err) {
        if (range && answerOf(err).status === 416) return outside(reading, range)
        return nullWhenMissing(err)
      }
    })

const get = async ({ bucket, connected: { sdk, patient }, key, signal }: Reading, range: ByteRange | undefined): Promise<ObjectBody> => {
  const { id: store, timeouts } = bucket.connection.settings
  const wanted = range === undefined ? {} : { Range: `bytes=${range.start}-${range.end}` }
  const answer = await patient.send(new sdk.GetObjectCommand({ Bucket: bucket.name, Key: key, ...wanted }), inTime(bucket, signal))
  const body = answer.Body as Readable | undefined
  const total = range === undefined ? answer.ContentLength : totalOf(answer.ContentRange)
  if (!body || total === undefined) {
    body?.destroy()
    throw new RindleError('storage_failed', { operation: 'read', store })
  }
  const { silenceMs } = timeouts
  const stream = streamOf(body, { store, signal, silenceMs })
  const head = { ...headOf(answer), sizeBytes: total }
  return { ...head, body: (answer.ContentLength ?? Infinity) <= smallBytes ? await takenAtOnce(stream) : stream }
}

/** `bytes 0-9/100` → 100; nothing when the range was ignored. */
const totalOf = (contentRange: string | undefined): number | undefined => {
  const total = /\/(\d+)$/.exec(contentRange ?? '')?.[1]
  return total === undefined ? undefined : Number(total)
}

/** @throws RindleError `object_range_invalid` for an object that is there */
const outside = async (reading: Reading, range: ByteRange): Promise<null> => {
  const head = await lookAt(reading, reading.key, { operation: 'read', signal: reading.signal })
  if (head) {
    spanOf(range, head.sizeBytes)
    throw new RindleError('storage_failed', { operation: 'read', store: reading.bucket.connection.settings.id })
  }
  return null
}

/** A connection as a web stream: read when it is asked for, broken off when nothing comes for `silenceMs`, ended by signal and cancel. */
const streamOf = (
  body: Readable,
  { store, signal, silenceMs }: { readonly store: string; readonly signal: AbortSignal | undefined; readonly silenceMs: number },
): ReadableStream<Uint8Array> => {
  const chunks: AsyncIterator<Uint8Array> = body[Symbol.asyncIterator]()
  let onAbort = (): void => undefined
  const end = (): void => {
    signal?.removeEventListener('abort', onAbort)
    body.destroy()
  }
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        body.on('error', () => undefined)
        onAbort = () => {
          controller.error(signal?.reason)
          end()
        }
        signal?.addEventListener('abort', onAbort, { once: true })
        if (signal?.aborted) onAbort()
      },
      async pull(controller) {
        const watch = setTimeout(() => body.destroy(new DOMException(`Nothing came for ${silenceMs} ms`, 'TimeoutError')), silenceMs)
        try {
          const { done, value } = await chunks.next()
          if (signal?.aborted) return
          if (done) {
            end()
            controller.close()
          } else controller.enqueue(value)
        } catch (err) {
          end()
          throw failureOf(err, { operation: 'read', store, signal })
        } finally {
          clearTimeout(watch)
        }
      },
      cancel: end,
    },
    { highWaterMark: 0 },
  )
}

const takenAtOnce = async (stream: ReadableStream<Uint8Array>): Promise<ReadableStream<Uint8Array>> => {
  const taken: Uint8Array[] = []
  for await (const chunk of stream) taken.push(chunk)
  return new ReadableStream({
    start(controller) {
      for (const chunk of taken) controller.enqueue(chunk)
      controller.close()
    },
  })
}
