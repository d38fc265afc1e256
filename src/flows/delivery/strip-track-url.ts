import { askedStrip } from '../../core/strip-choice.ts'
import type { RindleContext } from '../../context.ts'
import { authorizeDelivery } from '../steps/authorize-delivery.ts'
import { type AssetRef, getServedAsset } from '../steps/find-served-asset.ts'
import { mintTrackUrl, type StripTrackOptions } from '../steps/mint-track-url.ts'

/**
 * An address at which our http door answers what `stripTrack` gives, the strip's URL in it signed for what is left of the address's time. It
 * leads there whatever the strip is stored in. Null while no strip is ready, and where none is made.
 *
 * @throws RindleError `options_invalid` when the app did not say where its http door is, and what `stripTrack` throws
 */
export async function stripTrackUrl(
  ctx: Pick<RindleContext, 'db' | 'profiles' | 'keys' | 'baseUrl' | 'clock'>,
  asset: AssetRef,
  options: StripTrackOptions = {},
): Promise<string | null> {
  const served = await getServedAsset(ctx, asset)
  const profile = await authorizeDelivery(ctx, served.asset, options.actor)
  const strip = askedStrip(served, profile, options.variant)
  return strip && mintTrackUrl(ctx, profile, { assetId: served.asset.id, objectId: strip.object.id }, options)
}
