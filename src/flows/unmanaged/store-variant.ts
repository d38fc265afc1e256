import type { RindleContext } from '../../context.ts'
import { type StoredObject, type StoreOptions, type StoringContext, storeUnmanaged } from '../steps/store-unmanaged.ts'
import type { UploadSource } from '../steps/open-source.ts'

/**
 * Stores a rendition that the app made itself, as `store` does, and logs an error when it could not be stored.
 *
 * @throws RindleError what `store` throws
 */
export async function storeVariant(
  ctx: StoringContext & Pick<RindleContext, 'logger'>,
  profile: string,
  key: string,
  source: UploadSource,
  options: StoreOptions = {},
): Promise<StoredObject> {
  try {
    return await storeUnmanaged(ctx, profile, key, source, options)
  } catch (err) {
    ctx.logger.error({ profile, err }, 'a variant of the app could not be stored')
    throw err
  }
}
