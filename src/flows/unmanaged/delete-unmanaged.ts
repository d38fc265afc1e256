import type { RindleContext } from '../../context.ts'
import { profileNamed } from '../../core/admission.ts'
import { unmanagedKey } from '../../core/object-key.ts'
import { isMissed } from '../../database/move.ts'
import { findCondemnedObject, removeObject } from '../../database/queries/purge.ts'
import { doomUnmanaged, findObjectByKey } from '../../database/queries/unmanaged-objects.ts'

type Context = Pick<RindleContext, 'db' | 'stores' | 'queue' | 'clock' | 'profiles'>

/**
 * Deletes what lies below a key of `unmanaged/`; nothing there is fine. What a ticket or a writer could still bring is looked out for and
 * deleted as well. Should storage fail, the worker goes on trying.
 *
 * @throws RindleError `object_key_reserved` for keys elsewhere, `object_key_invalid`, `profile_unknown`, `storage_failed`
 */
export async function deleteUnmanaged(
  ctx: Context,
  profile: string,
  key: string,
  options: { readonly signal?: AbortSignal } = {},
): Promise<void> {
  profileNamed(ctx.profiles, profile)
  const store = ctx.stores.of(profile)
  const place = { store: store.id, key: unmanagedKey(key) }
  const known = await findObjectByKey(ctx.db.pool, place)
  if (known) await doomUnmanaged(ctx.db.pool, ctx, known.id)
  const begunAt = ctx.clock.now()
  await store.delete(place.key, options)
  if (known) await forget(ctx, known.id, begunAt)
}

/** Unless something may still land there: then the worker watches. */
const forget = async (ctx: Context, objectId: string, begunAt: Date): Promise<void> => {
  const object = await findCondemnedObject(ctx.db.pool, objectId)
  if (!object || object.watchUntil !== null) return
  try {
    await removeObject(ctx.db.pool, ctx, object, begunAt)
  } catch (err) {
    if (!isMissed(err)) throw err
  }
}
