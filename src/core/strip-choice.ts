import { deliverableStates } from './asset.ts'
import { chooseVariant, type Choice, notAvailable, type ServedAsset } from './delivery-policy.ts'
import type { Recipes } from './recipe.ts'
import type { StripGrid } from './variant-facts.ts'
import { checkVariantName } from './variant-name.ts'

/** A strip of frames, with what its track is written from. */
export interface StripChoice extends Choice {
  readonly grid: StripGrid
  /** Of the film. */
  readonly durationMs: number | null
}

/** The strip of that name, or the first there is. Null: none may be served, or none is made yet. */
export const chooseStrip = (served: ServedAsset, name?: string): StripChoice | null => {
  for (const { variant } of served.variants) {
    const choice = name === undefined || name === variant.name ? chooseVariant(served, variant.name) : null
    if (choice && variant.grid) return { ...choice, grid: variant.grid, durationMs: served.asset.durationMs }
  }
  return null
}

/**
 * The same for somebody who asked for it.
 *
 * @throws RindleError `variant_unknown`, `argument_invalid` for a variant that is no strip, `asset_not_available` (retryable while in the gate)
 */
export const askedStrip = (served: ServedAsset, profile: { readonly variants: Recipes }, variant?: string): StripChoice | null => {
  const { profile: name, state } = served.asset
  if (variant !== undefined) checkVariantName({ ...profile, name }, variant, { argument: 'variant', kinds: ['strip'] })
  if (!deliverableStates.includes(state)) throw notAvailable(served, null)
  return chooseStrip(served, variant)
}

/** The strip whose picture is this very object. */
export const chooseStripOf = (served: ServedAsset, objectId: string): StripChoice | null => {
  const found = served.variants.find(({ object }) => object?.id === objectId)
  return found ? chooseStrip(served, found.variant.name) : null
}
