import { createHash } from 'node:crypto'

interface Metered {
  /** The same bytes, counted and hashed as they are read. */
  readonly body: ReadableStream<Uint8Array>
  /** What went through so far. The hash can be asked for once, at the end. */
  readonly counted: () => number
  readonly sha256: () => string
}

/**
 * Counts and hashes a stream on its way, chunk by chunk and without keeping any. `judge` sees the count after each chunk, and once
 * more at the end with the hash; what it throws ends the stream with that error, and the source is cancelled.
 */
export function meter(
  source: ReadableStream<Uint8Array>,
  options: {
    readonly judge?: (byteSize: number, end: { readonly sha256: string } | null) => void
    /** Makes the error that the stream ends with when the source breaks off. */
    readonly broken?: (cause: unknown) => unknown
  } = {},
): Metered {
  const hash = createHash('sha256')
  const reader = source.getReader()
  let byteSize = 0
  let sha256: string | null = null
  const digest = (): string => (sha256 ??= hash.digest('hex'))

  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const next = await reader.read().catch((cause: unknown) => {
          throw options.broken?.(cause) ?? cause
        })
        try {
          if (next.done) {
            options.judge?.(byteSize, { sha256: digest() })
            return controller.close()
          }
          byteSize += next.value.byteLength
          options.judge?.(byteSize, null)
          hash.update(next.value)
          controller.enqueue(next.value)
        } catch (err) {
          reader.cancel(err).catch(() => undefined)
          throw err
        }
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  )
  return { body, counted: () => byteSize, sha256: digest }
}
