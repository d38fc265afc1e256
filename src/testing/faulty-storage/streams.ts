/** The bytes of `body` but for its end: of each chunk that might be the last, only so large a share is passed on at once. */
export const cutBody = (body: ReadableStream<Uint8Array>, share: number): ReadableStream<Uint8Array> => {
  let held: Uint8Array | null = null
  return body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        if (chunk.byteLength === 0) return
        if (held) controller.enqueue(held)
        held = chunk
      },
      flush(controller) {
        const kept = held ? Math.floor(held.byteLength * share) : 0
        if (held && kept > 0) controller.enqueue(held.subarray(0, kept))
      },
    }),
  )
}

/** All of `list` but its last entry, then the error. */
export const cutList = async function* <T>(list: AsyncIterable<T>, error: () => unknown): AsyncGenerator<T> {
  let held: { readonly entry: T } | null = null
  for await (const entry of list) {
    if (held) yield held.entry
    held = { entry }
  }
  throw error()
}

/** Never resolves. Rejects with the reason of the signal; without one it hangs for good. */
export const waitForAbort = (signal: AbortSignal | undefined): Promise<never> =>
  new Promise((_, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    signal?.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
