import type { RindleContext } from '../../context.ts'
import type { Asset } from '../../core/asset.ts'
import { appCodeTimeoutSeconds, type AskAppCode, problemOf } from '../../core/app-code.ts'
import type { FileUnderGate } from '../../core/ports/file-under-gate.ts'
import { openPlain } from '../../files/open-source.ts'

/**
 * Lets the app's own code look at one file, by path and stream, each question within its time. Code that does not listen to its signal is left
 * behind: nobody waits for it, and what it opened through `stream` is closed.
 *
 * `signal` ends the work as a whole; it is thrown as it is.
 */
export const askAppCode =
  (
    ctx: Pick<RindleContext, 'clock'>,
    about: {
      readonly asset: Pick<Asset, 'id' | 'profile' | 'filename'>
      /** What the bytes are. */
      readonly facts: Pick<FileUnderGate, 'contentType' | 'kind' | 'width' | 'height'>
      /** Where they lie. */
      readonly file: Pick<FileUnderGate, 'path' | 'byteSize' | 'sha256'>
      readonly signal: AbortSignal
    },
  ): AskAppCode =>
  async (timeoutSeconds = appCodeTimeoutSeconds, ask) => {
    const { asset, facts, file, signal } = about
    const { id: assetId, profile, filename } = asset
    const { contentType, kind, width, height } = facts
    const { path, byteSize, sha256 } = file
    const shown = { assetId, profile, filename, contentType, kind, width, height, path, byteSize, sha256 }
    const [late, done] = [new AbortController(), new AbortController()]
    const over = AbortSignal.any([signal, late.signal, done.signal])
    const opened: ReadableStreamDefaultReader<Uint8Array>[] = []
    const begin = async (): Promise<ReadableStreamDefaultReader<Uint8Array>> => {
      over.throwIfAborted()
      const reader = (await openPlain(path)).body.getReader()
      opened.push(reader)
      return reader
    }
    const gaveUp = new Promise<never>((_, reject) => {
      for (const one of [signal, late.signal]) one.addEventListener('abort', () => reject(one.reason), { once: true, signal: done.signal })
    })
    const given: FileUnderGate = { ...shown, stream: () => streamFrom(begin), signal: over }
    const answer = async () => ask(given)
    try {
      signal.throwIfAborted()
      ctx.clock.sleep(timeoutSeconds * 1000, done.signal).then(
        () => late.abort(new DOMException(`no answer within ${timeoutSeconds} s`, 'TimeoutError')),
        () => undefined,
      )
      return { ok: true, value: await Promise.race([answer(), gaveUp]) }
    } catch (cause) {
      signal.throwIfAborted()
      return { ok: false, problem: problemOf(late.signal.aborted ? late.signal.reason : cause), cause }
    } finally {
      done.abort(new DOMException('the call is over', 'AbortError'))
      for (const reader of opened) reader.cancel().catch(() => undefined)
    }
  }

/** Opens what it reads when it is first read from. */
const streamFrom = (begin: () => Promise<ReadableStreamDefaultReader<Uint8Array>>): ReadableStream<Uint8Array> => {
  let reader: Promise<ReadableStreamDefaultReader<Uint8Array>> | null = null
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        reader ??= begin()
        const { done, value } = await (await reader).read()
        if (done) controller.close()
        else controller.enqueue(value)
      },
      cancel: async (reason) => (await reader)?.cancel(reason),
    },
    { highWaterMark: 0 },
  )
}
