import { askedStrip } from '../../core/strip-choice.ts'
import { thumbnailTrack } from '../../core/thumbnail-track.ts'
import type { RindleContext } from '../../context.ts'
import { authorizeDelivery } from '../steps/authorize-delivery.ts'
import { type AssetRef, getServedAsset } from '../steps/find-served-asset.ts'
import type { StripTrackOptions } from '../steps/mint-track-url.ts'
import { mintUrl } from '../steps/mint-url.ts'

/**
 * The thumbnails of a film as WebVTT: for each frame of its strip a cue with the strip's address, signed for as long as a URL is, and the
 * frame's place in it. Null while no strip is ready, and where none is made.
 *
 * @throws RindleError `variant_unknown`, `argument_invalid` for a variant that is no strip, and what `url` throws
 */
export async function stripTrack(
  ctx: Pick<RindleContext, 'db' | 'stores' | 'profiles' | 'keys' | 'baseUrl' | 'clock' | 'logger'>,
  asset: AssetRef,
  { variant, ...options }: StripTrackOptions = {},
): Promise<string | null> {
  const served = await getServedAsset(ctx, asset)
  const profile = await authorizeDelivery(ctx, served.asset, options.actor)
  const strip = askedStrip(served, profile, variant)
  if (!strip) return null
  const url = await mintUrl(ctx, profile, { ...strip, filename: served.asset.filename }, options)
  return thumbnailTrack(strip.grid, strip.durationMs, url)
}
