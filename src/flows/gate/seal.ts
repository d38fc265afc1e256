import type { RindleContext } from '../../context.ts'
import type { ObjectHead } from '../../core/ports/storage.ts'
import type { GateObject } from '../../database/queries/gate-claim.ts'

interface Sealing {
  /** Its size, where it is known, gives the copy its time. */
  readonly source: GateObject & { readonly byteSize?: number | null }
  readonly sealed: GateObject
  readonly signal: AbortSignal
}

/**
 * Copies what was verified to a key that no client can be given a ticket for. Everything from here on reads that copy alone. Every store is
 * told which bytes were meant; one that may not listen is looked at once more.
 *
 * @returns null when the source is gone, or is no longer what was verified.
 */
export async function seal(ctx: Pick<RindleContext, 'stores'>, { source, sealed, signal }: Sealing): Promise<ObjectHead | null> {
  const store = ctx.stores.at(source.store)
  const { etag, version, byteSize } = source
  const pinned = { ...(etag === null ? {} : { ifMatch: etag }), ...(version === null ? {} : { version }) }
  const copied = await store.copy(source.key, sealed.key, { ...pinned, ...(byteSize ? { sizeBytes: byteSize } : {}), signal })
  if (!copied || etag === null || store.supports('conditional_copy')) return copied
  const after = await store.head(source.key, { signal })
  return after?.etag === etag ? copied : null
}
