import { constants } from 'node:fs'
import { open as openFile } from 'node:fs/promises'
import type { RindleContext } from '../../context.ts'
import { RindleError } from '../../core/errors.ts'
import { sealedKey } from '../../core/object-key.ts'
import { secondsAfter } from '../../core/patience.ts'
import type { Rewritten } from '../../core/ports/jail.ts'
import type { ObjectHead, Patch } from '../../core/ports/storage.ts'
import { rangesToSend } from '../../core/rewritten.ts'
import type { Span } from '../../core/span.ts'
import type { SealedBytes } from '../../database/queries/gate.ts'
import type { GateClaim, GateObject } from '../../database/queries/gate-claim.ts'
import { reserveRewritten } from '../../database/queries/gate-rewrite.ts'
import { hashBody } from '../../files/hash-file.ts'
import { openPlain } from '../../files/open-source.ts'

interface Rewriting {
  readonly claim: GateClaim
  /** The first copy, of what came: the rewritten file goes to the same store. */
  readonly received: { readonly object: GateObject; readonly bytes: SealedBytes }
  readonly changed: Rewritten['changed']
  readonly path: string
  /** Of the file at `path`, as this worker read it before anybody else's code did. */
  readonly byteSize: number
  readonly sha256: string
  readonly contentType: string
  readonly extension: string
  readonly signal: AbortSignal
}

/**
 * Gives a file that was rewritten at the gate a sealed object of its own: the row first, then the bytes, then a look at every stored one of
 * them. Of a large file of which little differs the store copies the rest, where it can. It is reserved still when this returns; the verdict
 * makes it the original.
 *
 * @throws RindleError `statement_missed` when the lease is over; `storage_failed` when what is stored is not what was looked at, or
 * `decoder_killed` when that was copied with the changes that the decoder named.
 */
export async function storeRewritten(
  ctx: Pick<RindleContext, 'db' | 'stores' | 'queue' | 'clock' | 'ids' | 'leaseSeconds'>,
  rewriting: Rewriting,
): Promise<{ readonly object: GateObject; readonly bytes: SealedBytes }> {
  const { claim, received, byteSize, sha256, contentType, extension, signal } = rewriting
  const store = ctx.stores.at(received.object.store)
  const id = ctx.ids.next()
  const object = await reserveRewritten(ctx.db.pool, ctx, {
    claim,
    object: { id, store: store.id, key: sealedKey(claim.asset.id, id, extension), contentType },
    leaseUntil: secondsAfter(ctx.clock.now(), ctx.leaseSeconds),
  })
  signal.throwIfAborted()
  const { head, isPatched } = await write(store, object.key, rewriting)
  const readBack = await store.read(object.key, { signal })
  const stored = readBack && (await hashBody(readBack.body, { signal, atMost: byteSize }))
  const isSame = stored?.sha256 === sha256 && stored.byteSize === byteSize
  if (!isSame && isPatched) throw new RindleError('decoder_killed', { reason: 'it changed more of the file than it said' })
  if (!isSame) throw new RindleError('storage_failed', { operation: 'keep a rewritten file as it was sent', store: store.id })
  return { object, bytes: { byteSize, sha256, etag: head.etag, version: head.version } }
}

type Store = ReturnType<RindleContext['stores']['at']>

const write = async (
  store: Store,
  key: string,
  rewriting: Rewriting,
): Promise<{ readonly head: ObjectHead; readonly isPatched: boolean }> => {
  const { received, path, byteSize, contentType, signal } = rewriting
  const ranges = store.supports('patched_copy')
    ? rangesToSend(rewriting.changed, { byteSize, receivedBytes: received.bytes.byteSize })
    : null
  if (ranges) {
    const patches = await readPatches(path, ranges)
    const from = { ifMatch: received.bytes.etag, ...(received.bytes.version === null ? {} : { version: received.bytes.version }) }
    const head = await store.copy(received.object.key, key, { ...from, patches, sizeBytes: byteSize, signal })
    if (!head) throw new RindleError('storage_failed', { operation: 'copy what was just sealed', store: store.id })
    return { head, isPatched: true }
  }
  const { body } = await openPlain(path)
  const head = await store.put(key, body, { contentType, sizeBytes: byteSize, signal }).finally(() => {
    if (!body.locked) body.cancel().catch(() => undefined)
  })
  return { head, isPatched: false }
}

/** No link is followed: a decoder could write where this reads. */
const readPatches = async (path: string, ranges: readonly Span[]): Promise<Patch[]> => {
  await using file = await openFile(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  const patches: Patch[] = []
  for (const { start, end } of ranges) {
    const bytes = new Uint8Array(end - start)
    await file.read(bytes, 0, bytes.byteLength, start)
    patches.push({ start, bytes })
  }
  return patches
}
