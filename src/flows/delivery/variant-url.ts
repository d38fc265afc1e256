import { chooseVariantOrOriginal, notAvailable } from '../../core/delivery-policy.ts'
import { checkVariantName } from '../../core/variant-name.ts'
import type { RindleContext } from '../../context.ts'
import { authorizeDelivery } from '../steps/authorize-delivery.ts'
import { type AssetRef, getServedAsset } from '../steps/find-served-asset.ts'
import { mintUrl, type UrlOptions } from '../steps/mint-url.ts'

/**
 * An address of a variant. While it is not there, of the original instead, where browsers draw its type. An old variant serves
 * until its successor is ready.
 *
 * @throws RindleError `variant_unknown` for a name that the asset's profile does not have, `variant_not_available` (retryable), and what
 * `url` throws
 */
export async function variantUrl(
  ctx: Pick<RindleContext, 'db' | 'stores' | 'profiles' | 'keys' | 'baseUrl' | 'clock' | 'logger'>,
  asset: AssetRef,
  variant: string,
  options: UrlOptions = {},
): Promise<string> {
  const served = await getServedAsset(ctx, asset)
  const profile = await authorizeDelivery(ctx, served.asset, options.actor)
  checkVariantName({ name: served.asset.profile, variants: profile.variants }, variant)
  const choice = chooseVariantOrOriginal(served, variant)
  if (!choice) throw notAvailable(served, variant)
  return mintUrl(ctx, profile, { ...choice, filename: served.asset.filename }, options)
}
