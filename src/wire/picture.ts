import { placeholderUrl } from './placeholder.ts'
import { type VariantWish, wishOf } from './variant-wish.ts'

/** One stored picture with its address. */
export interface Drawing {
  readonly url: string
  readonly width: number | null
  readonly height: number | null
  /** Null when it is not known; then the browser is told no type. */
  readonly contentType: string | null
}

/** What can be drawn of an asset now: drawings that may not be served are absent. */
export interface Drawable {
  readonly original: Drawing | null
  readonly variants: Readonly<Record<string, Drawing>>
  /** ThumbHash, base64. */
  readonly placeholder: string | null
}

export interface PictureWishes<N extends string = string> {
  /**
   * In order: conditions are tried as they stand here. Default: every variant with the original's proportions; of a film
   * the posters, no strips and previews.
   */
  readonly variants?: readonly VariantWish<N>[]
  /** How wide the picture will be shown. Default: as wide as its largest file, and never wider than the window. */
  readonly sizes?: string
  /** The address of what to show when there is nothing else. */
  readonly placeholder?: string
  /** False: no blurred colours behind a picture that is still loading. */
  readonly blur?: boolean
}

export interface PictureSource {
  readonly media: string | null
  readonly type: string | null
  readonly srcset: string
  readonly sizes: string | null
  readonly width: number | null
  readonly height: number | null
}

export interface PictureModel {
  readonly sources: readonly PictureSource[]
  readonly img: {
    readonly src: string
    readonly srcset: string | null
    readonly sizes: string | null
    readonly width: number | null
    readonly height: number | null
  }
  /** A data URL to draw behind the image until it is there. */
  readonly background: string | null
}

/**
 * What a `<picture>` of this asset says: one source for each media condition and type, files ordered by width, real sizes, and an
 * image that every browser can show. Null when there is nothing to show. Pure: nothing is escaped here.
 */
export const pictureModel = (drawable: Drawable | null, wishes: PictureWishes = {}): PictureModel | null => {
  const wished = drawable ? drawingsOf(drawable, wishes) : []
  const conditional = grouped(wished.filter(({ media }) => media !== null))
  const plain = grouped(wished.filter(({ media }) => media === null))
  const last = plain.at(-1)
  const fallback = drawable?.original ?? largest(wished.map(({ drawing }) => drawing))

  const sources = [...conditional, ...plain.slice(0, -1)].map((group) => sourceOf(group, wishes.sizes))
  const background = wishes.blur === false ? null : placeholderUrl(drawable?.placeholder ?? null)
  if (last) {
    const { srcset, sizes, width, height } = sourceOf(last, wishes.sizes)
    const src = largest(last.drawings)?.url ?? ''
    return { sources, img: { src, srcset: srcset === srcsetUrl(src) ? null : srcset, sizes, width, height }, background }
  }
  if (fallback) {
    const { url, width, height } = fallback
    return { sources, img: { src: url, srcset: null, sizes: null, width, height }, background }
  }
  if (!wishes.placeholder) return null
  return { sources: [], img: { src: wishes.placeholder, srcset: null, sizes: null, width: null, height: null }, background: null }
}

interface Wished {
  readonly drawing: Drawing
  readonly media: string | null
}

interface Group {
  readonly media: string | null
  readonly type: string | null
  readonly drawings: readonly Drawing[]
}

const drawingsOf = (drawable: Drawable, { variants }: PictureWishes): Wished[] => {
  if (!variants) return alike(drawable).map((drawing) => ({ drawing, media: null }))
  return variants.flatMap((wish) => {
    const { name, media } = wishOf(wish)
    const drawing = Object.hasOwn(drawable.variants, name) ? drawable.variants[name] : undefined
    return drawing ? [{ drawing, media }] : []
  })
}

/** Variants that show what the original shows, only smaller: a cut one is not a smaller file of the same picture. */
const alike = ({ original, variants }: Drawable): Drawing[] => {
  const all = Object.values(variants)
  const model = original ?? largest(all)
  return all.filter((one) => {
    if (!one.width || !one.height || !model?.width || !model.height) return false
    return Math.abs(one.width / model.width - one.height / model.height) * Math.max(model.width, model.height) <= 2
  })
}

/** One group for each condition and type, conditions in the order given, within one the types that save most first. */
const grouped = (wished: readonly Wished[]): Group[] => {
  const groups: { media: string | null; type: string | null; drawings: Drawing[] }[] = []
  for (const { drawing, media } of wished) {
    const known = groups.find((group) => group.media === media && group.type === drawing.contentType)
    if (known) known.drawings.push(drawing)
    else groups.push({ media, type: drawing.contentType, drawings: [drawing] })
  }
  const conditions = [...new Set(groups.map(({ media }) => media))]
  return groups.sort((one, other) => conditions.indexOf(one.media) - conditions.indexOf(other.media) || rank(one.type) - rank(other.type))
}

const preferred = ['image/avif', 'image/webp']
const rank = (type: string | null): number => {
  const index = type === null ? -1 : preferred.indexOf(type)
  return index < 0 ? preferred.length : index
}

const sourceOf = ({ media, type, drawings }: Group, wishedSizes: string | undefined): PictureSource => {
  const byWidth = [...drawings].sort((one, other) => (one.width ?? 0) - (other.width ?? 0))
  const [only, ...more] = byWidth
  const widest = byWidth.at(-1)
  const described = (more.length > 0 || wishedSizes !== undefined) && byWidth.every(({ width }) => width !== null)
  const width = widest?.width ?? null
  const height = widest?.height ?? null
  if (!described) return { media, type, srcset: srcsetUrl((more.length > 0 ? widest : only)?.url ?? ''), sizes: null, width, height }
  const distinct = byWidth.filter((one, index) => byWidth[index + 1]?.width !== one.width)
  const srcset = distinct.map((one) => `${srcsetUrl(one.url)} ${one.width}w`).join(', ')
  return { media, type, srcset, sizes: wishedSizes ?? `(min-width: ${width}px) ${width}px, 100vw`, width, height }
}

const largest = (drawings: readonly Drawing[]): Drawing | null =>
  drawings.reduce<Drawing | null>((best, one) => (best === null || (one.width ?? 0) > (best.width ?? 0) ? one : best), null)

/** In a srcset, white space ends an address and a comma at its end belongs to the list. */
const srcsetUrl = (url: string): string =>
  url.replace(/\s/g, encodeURIComponent).replace(/^,+|,+$/g, (commas) => '%2C'.repeat(commas.length))
