import { createHash } from 'node:crypto'
import type { RindleContext } from '../../context.ts'
import { RindleError } from '../../core/errors.ts'
import { sealedKey } from '../../core/object-key.ts'
import { secondsAfter } from '../../core/patience.ts'
import type { SealedBytes } from '../../database/queries/gate.ts'
import type { GateClaim, GateObject } from '../../database/queries/gate-claim.ts'
import { reserveRewritten } from '../../database/queries/gate-rewrite.ts'

interface Rewriting {
  readonly claim: GateClaim
  /** Where the first copy is: the rewritten file goes to the same store. */
  readonly store: string
  readonly path: string
  /** Of the file at `path`, as this worker read it before anybody else's code did. */
  readonly byteSize: number
  readonly sha256: string
  readonly contentType: string
  readonly extension: string
  readonly open: (path: string) => Promise<{ readonly body: ReadableStream<Uint8Array> }>
  readonly signal: AbortSignal
}

/**
 * Gives a file that was rewritten at the gate a sealed object of its own: the row first, then the bytes, then a look at every stored one of
 * them. It is reserved still when this returns; the verdict makes it the original.
 *
 * @throws RindleError `statement_missed` when the lease is over; `storage_failed` when what is stored is not what was looked at.
 */
export async function storeRewritten(
  ctx: Pick<RindleContext, 'db' | 'stores' | 'queue' | 'clock' | 'ids' | 'leaseSeconds'>,
  rewriting: Rewriting,
): Promise<{ readonly object: GateObject; readonly bytes: SealedBytes }> {
  const { claim, path, byteSize, sha256, contentType, extension, open, signal } = rewriting
  const store = ctx.stores.at(rewriting.store)
  const id = ctx.ids.next()
  const object = await reserveRewritten(ctx.db.pool, ctx, {
    claim,
    object: { id, store: store.id, key: sealedKey(claim.asset.id, id, extension), contentType },
    leaseUntil: secondsAfter(ctx.clock.now(), ctx.leaseSeconds),
  })
  signal.throwIfAborted()
  const { body } = await open(path)
  const head = await store.put(object.key, body, { contentType, sizeBytes: byteSize, signal }).finally(() => {
    if (!body.locked) body.cancel().catch(() => undefined)
  })
  const stored = await readBack(store, object.key, signal)
  if (stored?.sha256 !== sha256 || stored.byteSize !== byteSize)
    throw new RindleError('storage_failed', { operation: 'keep a rewritten file as it was sent', store: store.id })
  return { object, bytes: { byteSize, sha256, etag: head.etag, version: head.version } }
}

const readBack = async (
  store: ReturnType<RindleContext['stores']['at']>,
  key: string,
  signal: AbortSignal,
): Promise<{ readonly byteSize: number; readonly sha256: string } | null> => {
  const found = await store.read(key, { signal })
  if (!found) return null
  const hash = createHash('sha256')
  let byteSize = 0
  for await (const chunk of found.body) {
    signal.throwIfAborted()
    hash.update(chunk)
    byteSize += chunk.byteLength
  }
  return { byteSize, sha256: hash.digest('hex') }
}
