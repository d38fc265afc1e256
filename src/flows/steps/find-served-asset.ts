import { RindleError } from '../../core/errors.ts'
import type { ServedAsset } from '../../core/delivery-policy.ts'
import type { RindleContext } from '../../context.ts'
import { listServedAssets } from '../../database/queries/served-assets.ts'

/** An asset, or only its id. */
export type AssetRef = string | { readonly id: string }

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/**
 * The asset as its row is now, whatever the caller still holds of it, with everything that could be served.
 *
 * @returns null when there is no row, or when it is being purged.
 */
export async function findServedAsset(ctx: Pick<RindleContext, 'db'>, ref: AssetRef): Promise<ServedAsset | null> {
  const id = typeof ref === 'string' ? ref : ref.id
  if (!uuid.test(id)) return null
  const [served] = await listServedAssets(ctx.db.pool, [id])
  return served && served.asset.state !== 'deleted' ? served : null
}

/** @throws RindleError `asset_not_found` */
export async function getServedAsset(ctx: Pick<RindleContext, 'db'>, ref: AssetRef): Promise<ServedAsset> {
  const served = await findServedAsset(ctx, ref)
  if (!served) throw new RindleError('asset_not_found', { assetId: typeof ref === 'string' ? ref : ref.id })
  return served
}
