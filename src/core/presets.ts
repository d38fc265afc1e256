import { poster, strip, video } from './av-recipes.ts'
import type { PosterRecipe, StripRecipe, VideoRecipe } from './recipe.ts'

/** What a player of the web wants of a film, by the names that `videoTag` knows. */
export interface WebVariants {
  readonly web_720p: VideoRecipe
  readonly poster: PosterRecipe
}

/** With frames to be shown while somebody scrubs. */
export interface ScrubbedWebVariants extends WebVariants {
  readonly scrub_strip: StripRecipe
}

/**
 * The variants of a film for the web, to be spread into those of a profile: `variants: { ...web({ scrubStrip: true }), song: audio() }`. A film
 * of 720p at most and a poster; `scrubStrip` adds thumbnails of it.
 */
export function web(options: { readonly scrubStrip: true }): ScrubbedWebVariants
export function web(options?: { readonly scrubStrip?: boolean }): WebVariants
export function web({ scrubStrip = false }: { readonly scrubStrip?: boolean } = {}): WebVariants | ScrubbedWebVariants {
  return { web_720p: video({ preset: 'web_720p' }), poster: poster(), ...(scrubStrip ? { scrub_strip: strip() } : {}) }
}
