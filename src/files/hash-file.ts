import { createHash } from 'node:crypto'
import { openPlain } from './open-source.ts'

/** What bytes are, as whoever read them to their end knows it. */
export interface Hashed {
  readonly byteSize: number
  /** Lower-case hex. */
  readonly sha256: string
}

/** Reads a file of this job's own to its end: what it really holds, whoever wrote it. A link is not followed. */
export async function hashFile(path: string, signal: AbortSignal): Promise<Hashed> {
  const { body } = await openPlain(path)
  return hashBody(body, signal)
}

/** Reads a stream to its end and keeps nothing of it. */
export async function hashBody(body: ReadableStream<Uint8Array>, signal: AbortSignal): Promise<Hashed> {
  const hash = createHash('sha256')
  let byteSize = 0
  for await (const chunk of body) {
    signal.throwIfAborted()
    hash.update(chunk)
    byteSize += chunk.byteLength
  }
  return { byteSize, sha256: hash.digest('hex') }
}
