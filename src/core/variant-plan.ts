import type { Asset, AssetState } from './asset.ts'
import type { JobName } from './jobs.ts'
import type { Profile } from './profile.ts'
import type { ImageRecipe, Recipe } from './recipe.ts'
import { assetStateOf, type OutputKind, type VariantState } from './variant.ts'

/** One variant that a profile wants of a file. */
export interface WantedVariant {
  readonly name: string
  readonly outputKind: OutputKind
  /** The job that makes it. */
  readonly job: BuildJob
  readonly recipe: Recipe
  /** Lower-case hex. */
  readonly digest: string
}

/** What of a file decides which variants can be made of it. */
export type Material = Pick<Asset, 'kind' | 'hasVideoTrack' | 'hasAudioTrack'>

/** In the order in which they are done for one asset: what players show first is made first. */
export const buildJobs = ['build_variants', 'make_poster', 'transcode_asset'] as const satisfies readonly JobName[]
export type BuildJob = (typeof buildJobs)[number]

/** What of a file a recipe needs. */
export type Source = 'picture' | 'film' | 'sound'

interface Making {
  readonly from: Source
  readonly outputKind: OutputKind
  readonly job: BuildJob
}

/** What each recipe is made from, what it becomes, and by which job. */
export const makings: Readonly<Record<Recipe['kind'], Making>> = {
  image: { from: 'picture', outputKind: 'image', job: 'build_variants' },
  poster: { from: 'film', outputKind: 'image', job: 'make_poster' },
  video: { from: 'film', outputKind: 'video', job: 'transcode_asset' },
  strip: { from: 'film', outputKind: 'image', job: 'transcode_asset' },
  preview: { from: 'film', outputKind: 'image', job: 'transcode_asset' },
  audio: { from: 'sound', outputKind: 'audio', job: 'transcode_asset' },
  waveform: { from: 'sound', outputKind: 'waveform', job: 'transcode_asset' },
}

/**
 * What the profile wants of a file, by name: of a picture its images, of what moves its films and frames, of what sounds its sound. The
 * app's own processor is asked for all there are, by one job. Files that are not decoded have no variants.
 */
export const planVariants = (profile: Profile, material: Material): WantedVariant[] =>
  Object.entries(profile.variants)
    .map(([name, recipe]) => ({ name, recipe, digest: profile.digests[name] ?? '', ...makings[recipe.kind] }))
    .filter(({ from }) => profile.processor !== null || isMadeOf[from](material))
    .map(({ name, recipe, digest, outputKind, job }) => ({
      name,
      outputKind,
      job: profile.processor ? 'build_variants' : job,
      recipe,
      digest,
    }))
    .sort((one, other) => (one.name < other.name ? -1 : 1))

const isMadeOf: Readonly<Record<Source, (material: Material) => boolean>> = {
  picture: ({ kind }) => kind === 'image',
  film: ({ hasVideoTrack }) => hasVideoTrack === true,
  sound: ({ hasAudioTrack }) => hasAudioTrack === true,
}

/** The way from `analyzing` to what an asset is once these are being made. */
export const admissionPath = (
  plan: readonly { readonly outputKind: OutputKind }[],
): readonly ('promote' | 'admit' | 'process' | 'transcode')[] => {
  const state = assetStateOf(plan.map(({ outputKind }) => ({ state: 'processing', outputKind })))
  if (state === 'processing') return ['promote', 'admit', 'process']
  return state === 'transcoding' ? ['promote', 'admit', 'transcode'] : ['promote', 'admit']
}

type PassedState = ReturnType<typeof assetStateOf>
/** How an asset that passed the gate goes from one of its states to another. */
export type Reassessment = 'rest' | 'process' | 'transcode' | 'finish' | 'degrade'

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
export const extensionOfRecipe = (recipe: Recipe, hasAlpha: boolean): string => formOf(recipe, hasAlpha).extension

/** The content type that goes with it. */
export const typeOfRecipe = (recipe: Recipe, hasAlpha: boolean): string => formOf(recipe, hasAlpha).contentType

interface Form {
  readonly extension: string
  readonly contentType: string
}

const formOf = (recipe: Recipe, hasAlpha: boolean): Form => {
  switch (recipe.kind) {
    case 'image':
      return pictureForm(recipe.format === 'auto' ? (hasAlpha ? 'webp' : 'jpeg') : recipe.format)
    case 'poster':
      return pictureForm(recipe.format)
    case 'strip':
      return pictureForm('jpeg')
    case 'preview':
      return pictureForm('webp')
    case 'video':
      return { extension: 'mp4', contentType: 'video/mp4' }
    case 'audio':
      return recipe.format === 'mp3' ? { extension: 'mp3', contentType: 'audio/mpeg' } : { extension: 'm4a', contentType: 'audio/mp4' }
    case 'waveform':
      return { extension: 'json', contentType: 'application/json' }
  }
}

const pictureForm = (format: Exclude<ImageRecipe['format'], 'auto'>): Form => ({
  extension: format === 'jpeg' ? 'jpg' : format,
  contentType: `image/${format}`,
})
