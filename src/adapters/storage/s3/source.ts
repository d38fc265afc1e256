import { Readable } from 'node:stream'
import { RindleError } from '../../../core/errors.ts'

/** The bytes of a body, taken piece by piece. Exactly one taker at a time. */
export interface Source {
  /** Fills as much of `room` as there is. @returns how many bytes; fewer than fit only at the end. */
  fill(room: Uint8Array): Promise<number>
  /** The next `sizeBytes` bytes. @throws RindleError (while they are read) `object_size_mismatch` when there are fewer. */
  take(sizeBytes: number): AsyncGenerator<Uint8Array>
  /** The same, and then nothing may follow: it lets the last of them go only when it knows. */
  takeLast(sizeBytes: number): AsyncGenerator<Uint8Array>
  /** True when nothing is left. */
  ended(): Promise<boolean>
  /** Stops whoever sends. */
  cancel(reason: unknown): void
}

/** @throws RindleError (by its methods) `argument_invalid` for chunks that are not bytes; what the body breaks with */
export const sourceOf = (body: ReadableStream<Uint8Array>): Source => {
  const reader = body.getReader()
  let left: Uint8Array | null = null
  let taken = 0

  const next = async (): Promise<Uint8Array | null> => {
    while (left === null || left.byteLength === 0) {
      const { done, value } = await reader.read()
      if (done) return null
      if (!(value instanceof Uint8Array))
        throw new RindleError('argument_invalid', { argument: 'body', problem: 'its chunks are not bytes' })
      left = value
    }
    return left
  }
  /** At most `atMost` bytes of what comes next. */
  const piece = async (atMost: number): Promise<Uint8Array | null> => {
    const chunk = await next()
    if (chunk === null) return null
    const cut = chunk.subarray(0, atMost)
    left = chunk.subarray(cut.byteLength)
    taken += cut.byteLength
    return cut
  }
  const mismatch = (expectedBytes: number): RindleError =>
    new RindleError('object_size_mismatch', { expectedBytes, actualBytes: taken + (left?.byteLength ?? 0) })

  async function* pieces(sizeBytes: number): AsyncGenerator<Uint8Array> {
    const expected = taken + sizeBytes
    for (let missing = sizeBytes; missing > 0;) {
      const cut = await piece(missing)
      if (cut === null) throw mismatch(expected)
      missing -= cut.byteLength
      yield cut
    }
  }

  return {
    take: pieces,
    async *takeLast(sizeBytes) {
      const expected = taken + sizeBytes
      let held: Uint8Array | null = null
      for await (const cut of pieces(sizeBytes)) {
        if (held) yield held
        held = cut
      }
      if ((await next()) !== null) throw mismatch(expected)
      if (held) yield held
    },
    async fill(room) {
      let filled = 0
      while (filled < room.byteLength) {
        const cut = await piece(room.byteLength - filled)
        if (cut === null) break
        room.set(cut, filled)
        filled += cut.byteLength
      }
      return filled
    },
    ended: async () => (await next()) === null,
    cancel: (reason) => void reader.cancel(reason).catch(() => undefined),
  }
}

/**
 * Sends chunks as the body of one request, and gives up when the storage takes nothing for `silenceMs`. What breaks the chunks
 * breaks the request, and comes out as it is.
 */
export const sendChunks = async <T>(
  chunks: AsyncGenerator<Uint8Array>,
  options: { readonly signal?: AbortSignal | undefined; readonly silenceMs: number },
  send: (body: Readable, signal: AbortSignal) => Promise<T>,
): Promise<T> => {
  const stop = new AbortController()
  let waitsForSource = false
  const watch = setTimeout(() => {
    if (waitsForSource) watch.refresh()
    else stop.abort(new DOMException(`Nothing was taken for ${options.silenceMs} ms`, 'TimeoutError'))
  }, options.silenceMs)
  async function* watched(): AsyncGenerator<Uint8Array> {
    for (;;) {
      waitsForSource = true
      const { done, value } = await chunks.next()
      waitsForSource = false
      watch.refresh()
      if (done) return
      yield value
    }
  }
  const body = Readable.from(watched(), { objectMode: false })
  let broken: { readonly reason: unknown } | null = null
  body.on('error', (reason) => {
    broken ??= { reason }
    stop.abort(reason)
  })
  try {
    return await send(body, options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal)
  } catch (err) {
    throw brokenBy(broken, stop.signal, err)
  } finally {
    clearTimeout(watch)
    body.destroy()
  }
}

const brokenBy = (broken: { readonly reason: unknown } | null, stopped: AbortSignal, err: unknown): unknown => {
  if (broken) return broken.reason
  return stopped.aborted ? stopped.reason : err
}
