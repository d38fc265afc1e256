import type { RindleContext } from '../../context.ts'
import type { ObjectHead } from '../../core/ports/storage.ts'
import type { GateObject } from '../../database/queries/gate-claim.ts'

/**
 * Copies what was verified to a key that no client can be given a ticket for. Everything from here on reads that copy alone.
 *
 * @returns null when the source is gone, or is no longer what was verified.
 */
export async function seal(
  ctx: Pick<RindleContext, 'stores'>,
  { source, sealed, signal }: { readonly source: GateObject; readonly sealed: GateObject; readonly signal: AbortSignal },
): Promise<ObjectHead | null> {
  const store = ctx.stores.at(source.store)
  const pinned = source.etag
  if (pinned === null) return store.copy(source.key, sealed.key, { signal })
  if (store.supports('conditional_copy')) return store.copy(source.key, sealed.key, { ifMatch: pinned, signal })
  const copied = await store.copy(source.key, sealed.key, { signal })
  const after = copied && (await store.head(source.key, { signal }))
  return after?.etag === pinned ? copied : null
}
