import type { RindleContext } from '../../context.ts'
import { type Asset, deliverableStates } from '../../core/asset.ts'
import type { Attachment } from '../../core/attachment.ts'
import type { Recipe, Recipes } from '../../core/recipe.ts'
import { checkVariantName } from '../../core/variant-name.ts'
import { type AssetView, viewAsset } from '../../flows/delivery/view-asset.ts'
import { type VariantWish, wishOf } from '../../wire/variant-wish.ts'

export type TagContext = Pick<RindleContext, 'db' | 'stores' | 'profiles' | 'keys' | 'baseUrl' | 'clock' | 'logger'>

/** What every tag takes. An attachment whose file may not be served yet shows what stood there before. */
export type TagSubject = Attachment | Asset | string | { readonly id: string } | null

/** Who looks at a page, and for how long. */
export interface Viewer {
  /** Whom the profile's authorizer is asked about. */
  readonly actor?: unknown
  /** Default: what the profile says. What plays longer than its address lives stops in the middle. */
  readonly expiresInSeconds?: number
}

export const viewToDraw = async (ctx: TagContext, subject: TagSubject, { actor, expiresInSeconds }: Viewer): Promise<AssetView | null> => {
  if (!subject) return null
  const asked = expiresInSeconds === undefined ? { actor } : { actor, expiresInSeconds }
  const attachment = typeof subject === 'object' && 'asset' in subject ? subject : null
  const view = await viewAsset(ctx, attachment?.asset ?? subject, asked)
  if (!attachment?.previous || (view && deliverableStates.includes(view.asset.state))) return view
  return viewAsset(ctx, attachment.previous.asset, asked)
}

/** What the asset's profile makes; nothing of a profile that the app does not have any more. */
export const recipesOf = ({ profiles }: TagContext, { asset }: AssetView): Recipes => profiles[asset.profile]?.variants ?? {}

/** @throws RindleError `variant_unknown`, `argument_invalid` for one that is not of these kinds */
export const checkWishes = (
  ctx: TagContext,
  view: AssetView,
  wishes: readonly VariantWish[] | undefined,
  wanted?: { readonly argument: string; readonly kinds: readonly Recipe['kind'][] },
): void => {
  for (const wish of wishes ?? []) checkVariantName({ name: view.asset.profile, variants: recipesOf(ctx, view) }, wishOf(wish).name, wanted)
}
