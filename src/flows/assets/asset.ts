import type { RindleContext } from '../../context.ts'
import type { Asset } from '../../core/asset.ts'
import { findAsset } from '../../database/queries/assets.ts'

/** An asset as it stands; null when there is none, or when it is being purged. */
export async function asset(ctx: Pick<RindleContext, 'db'>, assetId: string): Promise<Asset | null> {
  return findAsset(ctx.db.pool, assetId)
}
