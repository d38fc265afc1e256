import { RindleError } from '../../core/errors.ts'

/**
 * Hands the chunks of `body` to `write`, one after another, and resolves to their length in bytes. Whatever ends it early also
 * cancels the source, so that nobody goes on sending.
 *
 * @throws RindleError `object_size_mismatch` as soon as there is more than `sizeBytes`, or at the end when there is less.
 */
export const drain = async (
  body: ReadableStream<Uint8Array>,
  options: { readonly signal?: AbortSignal | undefined; readonly sizeBytes?: number | undefined },
  write: (chunk: Uint8Array) => Promise<void> | void,
): Promise<number> => {
  const { signal, sizeBytes } = options
  const reader = body.getReader()
  const cancel = (reason: unknown): void => void reader.cancel(reason).catch(() => undefined)
  const onAbort = (): void => cancel(signal?.reason)
  signal?.addEventListener('abort', onAbort, { once: true })
  let actualBytes = 0
  try {
    signal?.throwIfAborted()
    for (;;) {
      const { done, value } = await reader.read()
      signal?.throwIfAborted()
      if (done) break
      if (!(value instanceof Uint8Array))
        throw new RindleError('argument_invalid', { argument: 'body', problem: 'its chunks are not bytes' })
      actualBytes += value.byteLength
      if (sizeBytes !== undefined && actualBytes > sizeBytes) break
      await write(value)
    }
    if (sizeBytes !== undefined && actualBytes !== sizeBytes)
      throw new RindleError('object_size_mismatch', { expectedBytes: sizeBytes, actualBytes })
    return actualBytes
  } catch (err) {
    cancel(err)
    throw err
  } finally {
    signal?.removeEventListener('abort', onAbort)
    reader.releaseLock()
  }
}
