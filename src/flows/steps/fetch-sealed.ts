import { createHash } from 'node:crypto'
import { closeSync, openSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { RindleContext } from '../../context.ts'
import { RindleError } from '../../core/errors.ts'
import { isDiskFull, smallFileBytes } from '../../host.ts'

interface Fetch {
  readonly object: { readonly store: string; readonly key: string }
  readonly path: string
  readonly signal: AbortSignal
  /** What was taken for it before, where its size was known; it stays the caller's to dispose of. */
  readonly room?: Room | null
}

/**
 * Brings stored bytes into a file of this job's own, hashing them on the way. Not one is read where they do not fit beside what other jobs of
 * this process are about to write.
 *
 * @returns null when nothing is stored there.
 * @throws RindleError `storage_failed` when other than so many bytes came as the store says it has; `insufficient_disk_headroom`.
 */
export async function fetchSealed(
  ctx: { readonly stores: RindleContext['stores']; readonly host: Pick<RindleContext['host'], 'freeBytes'> },
  { object, path, signal, room = null }: Fetch,
): Promise<{ readonly byteSize: number; readonly sha256: string } | null> {
  const found = await ctx.stores.at(object.store).read(object.key, { signal })
  if (!found) return null
  const { body, sizeBytes } = found
  const isTaken = room !== null && room.bytes >= sizeBytes
  let more: Room | null
  try {
    more = isTaken ? null : takeRoom(ctx.host, path, sizeBytes)
  } catch (err) {
    await body.cancel(err).catch(() => undefined)
    throw err
  }
  using own = more
  const held = own ?? room
  const keeping =
    sizeBytes <= smallFileBytes
      ? keepSmall(body, path, sizeBytes)
      : keep(body, path, { sizeBytes, signal, wrote: (bytes) => held?.wrote(bytes) })
  const read = await keeping.catch((err: unknown) => {
    if (!isDiskFull(err)) throw err
    const details = { neededBytes: sizeBytes + reserveBytes, freeBytes: ctx.host.freeBytes(dirname(path)) }
    throw new RindleError('insufficient_disk_headroom', details, { cause: err })
  })
  if (read.byteSize !== sizeBytes) throw new RindleError('storage_failed', { operation: 'read to the end', store: object.store })
  return read
}

/** Left free beside what is fetched, for what decoders make of it and for everybody else on the disk. */
const reserveBytes = 64 * 1024 * 1024

/** By folder, what jobs of this process may still write there. */
const promised = new Map<string, number>()

/** Room on the disk that no other job of this process counts on, until it is disposed of. */
export interface Room extends Disposable {
  /** How much was taken. */
  readonly bytes: number
  /** So much more of it is in the file: from now on the file system counts it. */
  wrote(bytes: number): void
}

/**
 * Looks and takes in one go, so that two jobs never count on the same room.
 *
 * @throws RindleError `insufficient_disk_headroom`
 */
export const takeRoom = (host: Pick<RindleContext['host'], 'freeBytes'>, file: string, bytes: number): Room => {
  const folder = dirname(file)
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
    bytes,
    wrote: (written) => change(-Math.min(left, written)),
    [Symbol.dispose]: () => change(-left),
  }
}

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
  { sizeBytes, wrote, signal }: { readonly sizeBytes: number; readonly wrote: (bytes: number) => void; readonly signal: AbortSignal },
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
      wrote(chunk.byteLength)
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
