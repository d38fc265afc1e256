import { poster, strip, video } from './av-recipes.ts'
import type { PosterRecipe, StripRecipe, VideoRecipe } from './recipe.ts'

/** What a player of the web wants of a film, by the names that `videoTag` knows. */
export type WebVariants = {
  readonly web_720p: VideoRecipe
  readonly poster: PosterRecipe
}

/** With frames to be shown while somebody scrubs. */
export type ScrubbedWebVariants = WebVariants & {
  readonly scrub_strip: StripRecipe
}

/**
 * The variants of a film for the web: a film of 720p at most and a poster; `scrubStrip` adds thumbnails of it. They are all that a profile has,
 * `variants: web()`, or spread among others: `variants: { ...web({ scrubStrip: true }), song: audio() }`.
 */
export function web(options: { readonly scrubStrip: true }): ScrubbedWebVariants
export function web(options?: { readonly scrubStrip?: boolean }): WebVariants
export function web({ scrubStrip = false }: { readonly scrubStrip?: boolean } = {}): WebVariants | ScrubbedWebVariants {
  return { web_720p: video({ preset: 'web_720p' }), poster: poster(), ...(scrubStrip ? { scrub_strip: strip() } : {}) }
}
