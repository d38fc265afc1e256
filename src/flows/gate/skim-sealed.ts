import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { RindleContext } from '../../context.ts'
import { RindleError } from '../../core/errors.ts'
import { isDiskFull } from '../../host.ts'
import type { Excerpt } from '../../core/ports/jail.ts'

/** What is put on disk of a file, however long it is. */
const headBytes = 256 * 1024

export interface Skimmed {
  readonly byteSize: number
  /** Lower-case hex, of all of it. */
  readonly sha256: string
  /** Undefined when the file at `path` is the whole. */
  readonly excerpt: Excerpt | undefined
}

interface Context extends Pick<RindleContext, 'stores' | 'clock'> {
  readonly host: Pick<RindleContext['host'], 'freeBytes'>
}

interface Skim {
  readonly object: { readonly store: string; readonly key: string }
  readonly path: string
  /** Whether somebody will want to know if it is text. */
  readonly mayBeText: boolean
  readonly signal: AbortSignal
}

/**
 * Reads stored bytes to their end, once and chunk by chunk, and hashes them; only their beginning is written into a file of this job's own.
 * Neither memory nor disk grows with them.
 *
 * @returns null when nothing is stored there.
 * @throws RindleError `storage_failed` when other than so many bytes came as the store says it has; `insufficient_disk_headroom`. `read` of the
 * excerpt: `storage_failed`, also once all that it was asked for took half an hour.
 */
export async function skimSealed(ctx: Context, skim: Skim): Promise<Skimmed | null> {
  const { object, path, mayBeText, signal } = skim
  const found = await ctx.stores.at(object.store).read(object.key, { signal })
  if (!found) return null
  const { sizeBytes } = found
  const hash = createHash('sha256')
  const text = mayBeText ? textCheck() : null
  const head: Uint8Array[] = []
  let byteSize = 0
  for await (const chunk of found.body) {
    signal.throwIfAborted()
    hash.update(chunk)
    text?.add(chunk)
    if (byteSize < headBytes) head.push(chunk.slice(0, headBytes - byteSize))
    byteSize += chunk.byteLength
    if (byteSize > sizeBytes) break
  }
  if (byteSize !== sizeBytes) throw new RindleError('storage_failed', { operation: 'read to the end', store: object.store })
  keep(ctx, path, Buffer.concat(head))
  const isWhole = byteSize <= headBytes
  return {
    byteSize,
    sha256: hash.digest('hex'),
    excerpt: isWhole ? undefined : { sizeBytes, isText: text?.isText() ?? false, read: spanReader(ctx, skim) },
  }
}

const keep = (ctx: Context, path: string, bytes: Buffer): void => {
  try {
    writeFileSync(path, bytes, { flag: 'wx', mode: 0o600 })
  } catch (err) {
    if (!isDiskFull(err)) throw err
    const details = { neededBytes: bytes.byteLength, freeBytes: ctx.host.freeBytes(dirname(path)) }
    throw new RindleError('insufficient_disk_headroom', details, { cause: err })
  }
}

/** Whether all that is added is UTF-8 without NUL. */
const textCheck = () => {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let isText = true
  const attempt = (decode: () => void): void => {
    try {
      decode()
    } catch {
      isText = false
    }
  }
  return {
    add(chunk: Uint8Array): void {
      if (isText && chunk.includes(0)) isText = false
      if (isText) attempt(() => decoder.decode(chunk, { stream: true }))
    },
    isText(): boolean {
      if (isText) attempt(() => decoder.decode())
      return isText
    },
  }
}

/** A file may have its decoder ask a thousand times, and every answer may take its time: that is the store's, and no verdict on the file. */
const longestReadingMs = 1_800_000

const spanReader = (ctx: Context, skim: Skim): Excerpt['read'] => {
  let leftMs = longestReadingMs
  return async (start, end) => {
    const startedMs = ctx.clock.monotonicMs()
    const [late, done] = [new AbortController(), new AbortController()]
    const tooLate = new RindleError('storage_failed', { operation: 'read the parts that were needed in time', store: skim.object.store })
    ctx.clock.sleep(Math.max(0, leftMs), done.signal).then(
      () => late.abort(tooLate),
      () => undefined,
    )
    try {
      return await readSpan(ctx, { ...skim, signal: AbortSignal.any([skim.signal, late.signal]) }, start, end)
    } finally {
      done.abort()
      leftMs -= ctx.clock.monotonicMs() - startedMs
    }
  }
}

const readSpan = async (ctx: Context, { object, signal }: Skim, start: number, end: number): Promise<Uint8Array> => {
  const found = await ctx.stores.at(object.store).read(object.key, { range: { start, end: end - 1 }, signal })
  const bytes = new Uint8Array(end - start)
  let filled = 0
  for await (const chunk of found?.body ?? []) {
    bytes.set(chunk.subarray(0, bytes.byteLength - filled), filled)
    filled += chunk.byteLength
    if (filled >= bytes.byteLength) break
  }
  if (filled < bytes.byteLength) throw new RindleError('storage_failed', { operation: 'read a part', store: object.store })
  return bytes
}
