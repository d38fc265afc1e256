import { type StoredObject, type StoreOptions, type StoringContext, storeUnmanaged } from '../steps/store-unmanaged.ts'
import type { UploadSource } from '../steps/open-source.ts'

/**
 * Stores bytes of the app's own below `unmanaged/` in the profile's store: no asset, no gate and no URL, but a row like everything
 * else. A key is written once: to write it again, delete it first.
 *
 * @throws RindleError `object_key_reserved` for keys elsewhere, `object_key_invalid`, `object_exists`, `profile_unknown`,
 * `upload_source_unreadable`, `upload_source_failed`, `storage_failed`, `lease_lost`; the reason of `signal` when it aborts.
 */
export const store = (
  ctx: StoringContext,
  profile: string,
  key: string,
  source: UploadSource,
  options: StoreOptions = {},
): Promise<StoredObject> => storeUnmanaged(ctx, profile, key, source, options)
