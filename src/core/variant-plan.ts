import type { AssetState } from './asset.ts'
import type { Profile } from './profile.ts'
import type { ImageRecipe, Recipe } from './recipe.ts'
import { assetStateOf, type OutputKind, type VariantState } from './variant.ts'

/** One variant that a profile wants of every file it takes. */
export interface WantedVariant {
  readonly name: string
  readonly outputKind: OutputKind
  readonly recipe: Recipe
  /** Lower-case hex. */
  readonly digest: string
}

/** What the profile wants of a file, by name. Files that are not decoded have no variants. */
export const planVariants = (profile: Profile): WantedVariant[] =>
  Object.entries(profile.variants)
    .map(([name, recipe]) => ({ name, outputKind: recipe.kind, recipe, digest: profile.digests[name] ?? '' }))
    .sort((one, other) => (one.name < other.name ? -1 : 1))

/** The way from `analyzing` to what an asset is once these are being made. */
export const admissionPath = (
  plan: readonly { readonly outputKind: OutputKind }[],
): readonly ('promote' | 'admit' | 'process' | 'transcode')[] => {
  const state = assetStateOf(plan.map(({ outputKind }) => ({ state: 'processing', outputKind })))
  if (state === 'processing') return ['promote', 'admit', 'process']
  return state === 'transcoding' ? ['promote', 'admit', 'transcode'] : ['promote', 'admit']
}

type PassedState = ReturnType<typeof assetStateOf>
type Reassessment = 'rest' | 'process' | 'transcode' | 'finish' | 'degrade'

const moveTo: Readonly<Record<PassedState, Reassessment>> = {
  available: 'rest',
  processing: 'process',
  transcoding: 'transcode',
  ready: 'finish',
  degraded: 'degrade',
}

/** The move that brings an asset to the state its variants ask for; none when it is there already, or has not passed the gate. */
export const reassessment = (
  from: AssetState,
  variants: readonly { readonly state: VariantState; readonly outputKind: OutputKind }[],
): readonly Reassessment[] => {
  const to = assetStateOf(variants)
  return from === to || !Object.hasOwn(moveTo, from) ? [] : [moveTo[to]]
}

/** What the name of a variant's object ends in, as far as it is known before it is made. */
export const extensionOfRecipe = (recipe: ImageRecipe, hasAlpha: boolean): string => {
  const format = recipe.format === 'auto' ? (hasAlpha ? 'webp' : 'jpeg') : recipe.format
  return format === 'jpeg' ? 'jpg' : format
}

/** The content type that goes with it. */
export const typeOfRecipe = (recipe: ImageRecipe, hasAlpha: boolean): string =>
  `image/${recipe.format === 'auto' ? (hasAlpha ? 'webp' : 'jpeg') : recipe.format}`
