import type { Asset } from '../../core/asset.ts'
import { chooseOriginal, chooseVariant, type Choice } from '../../core/delivery-policy.ts'
import { chooseStrip } from '../../core/strip-choice.ts'
import { isRindleError } from '../../core/errors.ts'
import type { Profile } from '../../core/profile.ts'
import type { Variant } from '../../core/variant.ts'
import type { RindleContext } from '../../context.ts'
import { authorizeDelivery } from '../steps/authorize-delivery.ts'
import { type AssetRef, findServedAsset } from '../steps/find-served-asset.ts'
import { mintTrackUrl } from '../steps/mint-track-url.ts'
import { mintUrl, type UrlOptions } from '../steps/mint-url.ts'

/** Something that can be fetched now. */
interface Address {
  readonly url: string
  readonly contentType: string
}

/** An asset as somebody may see it. */
export interface AssetView {
  readonly asset: Asset
  /** Null while it may not be served, or not to this actor. */
  readonly original: Address | null
  /** Those that its profile still names. */
  readonly variants: readonly {
    readonly variant: Variant
    readonly address: Address | null
    /** Of the track that says what the frames of a strip are shown for. Null for what is no strip, and without a `baseUrl`. */
    readonly trackUrl: string | null
  }[]
}

/**
 * How far an asset is, and the addresses of whatever may be served to the actor. Where the profile's authorizer says no, there are
 * no addresses; nothing is thrown for it.
 *
 * @returns null when there is no such asset.
 * @throws RindleError `profile_unknown`, `delivery_unsupported`
 */
export async function viewAsset(
  ctx: Pick<RindleContext, 'db' | 'stores' | 'profiles' | 'keys' | 'baseUrl' | 'clock' | 'logger'>,
  asset: AssetRef,
  options: UrlOptions = {},
): Promise<AssetView | null> {
  const served = await findServedAsset(ctx, asset)
  if (!served) return null
  const profile = await profileForActor(ctx, served.asset, options.actor)
  const addressOf = async (choice: Choice | null): Promise<Address | null> => {
    if (!choice || !profile) return null
    const url = await mintUrl(ctx, profile, { ...choice, filename: served.asset.filename }, options)
    return { url, contentType: choice.object.contentType }
  }
  const shown = served.variants.filter(({ variant }) => variant.state !== 'purged')
  const [original, ...variants] = await Promise.all([
    addressOf(chooseOriginal(served)),
    ...shown.map(({ variant }) => addressOf(chooseVariant(served, variant.name))),
  ])
  return {
    asset: served.asset,
    original: original ?? null,
    variants: shown.map(({ variant }, index) => {
      const strip = profile && ctx.baseUrl !== null ? chooseStrip(served, variant.name) : null
      return {
        variant,
        address: variants[index] ?? null,
        trackUrl: strip && profile && mintTrackUrl(ctx, profile, { assetId: served.asset.id, objectId: strip.object.id }, options),
      }
    }),
  }
}

const profileForActor = async (ctx: Pick<RindleContext, 'profiles'>, asset: Asset, actor: unknown): Promise<Profile | null> => {
  try {
    return await authorizeDelivery(ctx, asset, actor)
  } catch (err) {
    if (isRindleError(err) && err.code === 'not_authorized') return null
    throw err
  }
}
