import { createHash } from 'node:crypto'

/** Reads a file on this machine to its end: what it really holds, whoever wrote it. `open` decides what may be opened. */
export async function hashFile(
  path: string,
  {
    open,
    signal,
  }: { readonly open: (path: string) => Promise<{ readonly body: ReadableStream<Uint8Array> }>; readonly signal: AbortSignal },
): Promise<{ readonly byteSize: number; readonly sha256: string }> {
  const { body } = await open(path)
  const hash = createHash('sha256')
  let byteSize = 0
  for await (const chunk of body) {
    signal.throwIfAborted()
    hash.update(chunk)
    byteSize += chunk.byteLength
  }
  return { byteSize, sha256: hash.digest('hex') }
}
