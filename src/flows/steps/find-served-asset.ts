import { RindleError } from '../../core/errors.ts'
import { isId } from '../../core/ids.ts'
import type { ServedAsset } from '../../core/delivery-policy.ts'
import type { RindleContext } from '../../context.ts'
import { listServedAssets } from '../../database/queries/served-assets.ts'

/** An asset, or only its id. */
export type AssetRef = string | { readonly id: string }

/**
 * The asset as its row is now, whatever the caller still holds of it, with everything that could be served.
 *
 * @returns null when there is no row, or when it is being purged.
 */
export async function findServedAsset(ctx: Pick<RindleContext, 'db'>, ref: AssetRef): Promise<ServedAsset | null> {
  const id = typeof ref === 'string' ? ref : ref.id
  if (!isId(id)) return null
  const [served] = await listServedAssets(ctx.db.pool, [id])
  return served && served.asset.state !== 'deleted' ? served : null
}

/** @throws RindleError `asset_not_found` */
export async function getServedAsset(ctx: Pick<RindleContext, 'db'>, ref: AssetRef): Promise<ServedAsset> {
  const served = await findServedAsset(ctx, ref)
  if (!served) throw new RindleError('asset_not_found', { assetId: typeof ref === 'string' ? ref : ref.id })
  return served
}
