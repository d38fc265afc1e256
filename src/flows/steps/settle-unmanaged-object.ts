import type { RindleContext } from '../../context.ts'
import { findLapsedObject, settleLapsedObject } from '../../database/queries/due-rows.ts'

/** Looks whether what an unmanaged object's writer began has landed: then it is present, else it is doomed. */
export async function settleUnmanagedObject(
  ctx: Pick<RindleContext, 'db' | 'stores' | 'queue' | 'clock'>,
  objectId: string,
  options: { readonly signal?: AbortSignal } = {},
): Promise<void> {
  const object = await findLapsedObject(ctx.db.pool, objectId, ctx.clock.now())
  if (!object) return
  const head = await ctx.stores.at(object.store).head(object.key, options)
  await settleLapsedObject(ctx.db.pool, ctx, { id: object.id, head })
}
