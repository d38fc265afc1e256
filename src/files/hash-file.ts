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
  return hashBody(body, { signal })
}

interface Reading {
  readonly signal?: AbortSignal | undefined
  /** The length that is awaited: whoever sends more is not listened to. */
  readonly atMost?: number
}

/**
 * Reads a stream to its end and keeps nothing of it. As soon as more came than `atMost` the rest is let go: length and hash are then of what
 * came, and the length is not the one awaited.
 */
export async function hashBody(body: ReadableStream<Uint8Array>, { signal, atMost = Infinity }: Reading): Promise<Hashed> {
  const hash = createHash('sha256')
  let byteSize = 0
  for await (const chunk of body) {
    signal?.throwIfAborted()
    hash.update(chunk)
    byteSize += chunk.byteLength
    if (byteSize > atMost) break
  }
  return { byteSize, sha256: hash.digest('hex') }
}
