import { chooseOriginal, notAvailable } from '../../core/delivery-policy.ts'
import type { RindleContext } from '../../context.ts'
import { authorizeDelivery } from '../steps/authorize-delivery.ts'
import { type AssetRef, getServedAsset } from '../steps/find-served-asset.ts'
import { mintUrl, type UrlOptions } from '../steps/mint-url.ts'

/**
 * An address of the original: signed and expiring, or for a public profile the same for everybody and for ever. The profile's
 * authorizer is asked first. The row is read anew, whatever the given asset says.
 *
 * @throws RindleError `asset_not_found`, `not_authorized`, `asset_not_available` (retryable while in the gate), `profile_unknown`,
 * `delivery_unsupported`
 */
export async function url(
  ctx: Pick<RindleContext, 'db' | 'stores' | 'profiles' | 'keys' | 'baseUrl' | 'clock' | 'logger'>,
  asset: AssetRef,
  options: UrlOptions = {},
): Promise<string> {
  const served = await getServedAsset(ctx, asset)
  const profile = await authorizeDelivery(ctx, served.asset, options.actor)
  const choice = chooseOriginal(served)
  if (!choice) throw notAvailable(served, null)
  return mintUrl(ctx, profile, { ...choice, filename: served.asset.filename }, options)
}
