/** A variant, or a variant for one media condition. */
export type VariantWish<N extends string = string> = N | readonly [N, string] | { readonly name: N; readonly media?: string }

/** However it was written; null where every window is meant. */
export const wishOf = <N extends string>(wish: VariantWish<N>): { readonly name: N; readonly media: string | null } => {
  if (typeof wish === 'string') return { name: wish, media: null }
  if ('name' in wish) return { name: wish.name, media: wish.media || null }
  return { name: wish[0], media: wish[1] || null }
}
