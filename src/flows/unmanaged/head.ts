import type { RindleContext } from '../../context.ts'
import { profileNamed } from '../../core/admission.ts'
import { normaliseKey } from '../../core/object-key.ts'
import { findObjectByKey } from '../../database/queries/unmanaged-objects.ts'
import { type StoredObject, typeForKey } from '../../core/stored-object.ts'

/**
 * What lies below a key of the profile's store, any key; null when nothing does.
 *
 * @throws RindleError `object_key_invalid`, `profile_unknown`, `storage_failed`
 */
export async function head(
  ctx: Pick<RindleContext, 'db' | 'stores' | 'profiles'>,
  profile: string,
  key: string,
  options: { readonly signal?: AbortSignal } = {},
): Promise<StoredObject | null> {
  profileNamed(ctx.profiles, profile)
  const store = ctx.stores.of(profile)
  const place = { store: store.id, key: normaliseKey(key) }
  const found = await store.head(place.key, options)
  if (!found) return null
  const contentType = found.contentType ?? (await findObjectByKey(ctx.db.pool, place))?.contentType ?? undefined
  return { key: place.key, byteSize: found.sizeBytes, contentType: typeForKey(place.key, contentType), etag: found.etag }
}
