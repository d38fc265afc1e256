import { RindleError } from './errors.ts'
import type { Recipe, Recipes } from './recipe.ts'

/**
 * Refuses the name of a variant that the profile does not make, or makes of another kind than is wanted.
 *
 * @throws RindleError `variant_unknown`, `argument_invalid`
 */
export const checkVariantName = (
  profile: { readonly name: string; readonly variants: Recipes },
  variant: string,
  wanted?: { readonly argument: string; readonly kinds: readonly Recipe['kind'][] },
): void => {
  const recipe = Object.hasOwn(profile.variants, variant) ? profile.variants[variant] : undefined
  if (!recipe) throw new RindleError('variant_unknown', { variant, profile: profile.name, known: Object.keys(profile.variants) })
  if (wanted && !wanted.kinds.includes(recipe.kind))
    throw new RindleError('argument_invalid', {
      argument: wanted.argument,
      problem: `${variant} is made by ${recipe.kind}(), not by ${wanted.kinds.map((kind) => `${kind}()`).join(' or ')}`,
    })
}
