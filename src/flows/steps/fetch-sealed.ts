import { createHash } from 'node:crypto'
import { closeSync, openSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { RindleContext } from '../../context.ts'
import { RindleError } from '../../core/errors.ts'

/**
 * Brings stored bytes into a file of this job's own, hashing them on the way. They are asked for only where they fit beside what other
 * jobs of this process are about to write.
 *
 * @returns null when nothing is stored there.
 * @throws RindleError `storage_failed` when other than so many bytes came as the store says it has; `insufficient_disk_headroom`.
 */
export async function fetchSealed(
  ctx: { readonly stores: RindleContext['stores']; readonly host: Pick<RindleContext['host'], 'freeBytes'> },
  {
    object,
    path,
    signal,
  }: { readonly object: { readonly store: string; readonly key: string }; readonly path: string; readonly signal: AbortSignal },
): Promise<{ readonly byteSize: number; readonly sha256: string } | null> {
  const found = await ctx.stores.at(object.store).read(object.key, { signal })
  if (!found) return null
  const { body, sizeBytes } = found
  let room: Room
  try {
    room = takeRoom(ctx.host, dirname(path), sizeBytes)
  } catch (err) {
    await body.cancel(err).catch(() => undefined)
    throw err
  }
  using held = room
  const read = sizeBytes <= smallBytes ? await keepSmall(body, path, sizeBytes) : await keep(body, path, { sizeBytes, room: held, signal })
  if (read.byteSize !== sizeBytes) throw new RindleError('storage_failed', { operation: 'read to the end', store: object.store })
  return read
}

/** Left free beside what is fetched, for what decoders make of it and for everybody else on the disk. */
const reserveBytes = 64 * 1024 * 1024

/** By folder, what jobs of this process may still write there. */
const promised = new Map<string, number>()

interface Room extends Disposable {
  /** So much more of it is in the file: from now on the file system counts it. */
  wrote(bytes: number): void
}

/** Looks and takes in one go, so that two jobs never count on the same room. */
const takeRoom = (host: Pick<RindleContext['host'], 'freeBytes'>, folder: string, bytes: number): Room => {
  const freeBytes = Math.max(0, host.freeBytes(folder) - (promised.get(folder) ?? 0))
  const neededBytes = bytes + reserveBytes
  if (freeBytes < neededBytes) throw new RindleError('insufficient_disk_headroom', { neededBytes, freeBytes })
  let left = 0
  const change = (by: number): void => {
    left += by
    promised.set(folder, (promised.get(folder) ?? 0) + by)
  }
  change(bytes)
  return {
    wrote: (written) => change(-Math.min(left, written)),
    [Symbol.dispose]: () => change(-left),
  }
}

/** Below this a trip to the thread pool takes longer than making and writing the file. */
const smallBytes = 256 * 1024

const keepSmall = async (
  body: ReadableStream<Uint8Array>,
  path: string,
  sizeBytes: number,
): Promise<{ readonly byteSize: number; readonly sha256: string }> => {
  const chunks: Uint8Array[] = []
  let byteSize = 0
  for await (const chunk of body) {
    chunks.push(chunk)
    byteSize += chunk.byteLength
    if (byteSize > sizeBytes) break
  }
  const bytes = Buffer.concat(chunks)
  const file = openSync(path, 'wx', 0o600)
  try {
    // Unlike `writeSync`, it goes on until all of it is on a disk that runs full.
    writeFileSync(file, bytes)
  } finally {
    closeSync(file)
  }
  return { byteSize, sha256: createHash('sha256').update(bytes).digest('hex') }
}

const keep = async (
  body: ReadableStream<Uint8Array>,
  path: string,
  { sizeBytes, room, signal }: { readonly sizeBytes: number; readonly room: Room; readonly signal: AbortSignal },
): Promise<{ readonly byteSize: number; readonly sha256: string }> => {
  const hash = createHash('sha256')
  const file = await open(path, 'wx', 0o600)
  let byteSize = 0
  try {
    for await (const chunk of chunksOf(body)) {
      signal.throwIfAborted()
      hash.update(chunk)
      // Unlike `write`, it goes on until all of it is on a disk that runs full.
      await file.writeFile(chunk)
      byteSize += chunk.byteLength
      room.wrote(chunk.byteLength)
      if (byteSize > sizeBytes) break
    }
  } finally {
    await file.close()
  }
  return { byteSize, sha256: hash.digest('hex') }
}

/** A trip to the thread pool for each read and each write: the fewer the better. */
const roomBytes = 1024 * 1024

/**
 * The chunks of a body, each good until the next is asked for: where the stream knows how, all of them come in one buffer, since
 * megabytes of fresh ones have the collector run for every picture. Whoever leaves early cancels the body.
 */
async function* chunksOf(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = byobReaderOf(body)
  if (!reader) return yield* body
  let room = new Uint8Array(roomBytes)
  let ended = false
  try {
    for (;;) {
      const { done, value } = await reader.read(room)
      ended = done
      if (done) return
      yield value
      room = new Uint8Array(value.buffer)
    }
  } catch (err) {
    ended = true
    throw err
  } finally {
    if (!ended) await reader.cancel()
    reader.releaseLock()
  }
}

/** Null for a stream that hands out chunks of its own. */
const byobReaderOf = (body: ReadableStream<Uint8Array>): ReadableStreamBYOBReader | null => {
  try {
    return body.getReader({ mode: 'byob' })
  } catch {
    return null
  }
}
