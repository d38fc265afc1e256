import type { ImageRecipe } from '../../../core/recipe.ts'

export interface Size {
  readonly width: number
  readonly height: number
}

/** A part of a picture, in its pixels; fractions are kept so that it can be carried over to a smaller copy. */
interface Region extends Size {
  readonly left: number
  readonly top: number
}

/** What one recipe takes out of a picture, and how large it becomes. */
export interface Cut {
  readonly region: Region
  readonly out: Size
  /** Size out over size in; above 1 only where `fill` has to enlarge. */
  readonly scale: number
  /** True when the region is all of the picture. */
  readonly whole: boolean
}

/**
 * `fit` keeps the whole picture inside the box and `crop` the largest part of the box's shape around the focal point; neither
 * enlarges. `fill` is always exactly as large as asked, around the middle. No side becomes zero.
 */
export const cutOf = (recipe: ImageRecipe, source: Size): Cut => {
  if (recipe.mode === 'fit' || recipe.width === null || recipe.height === null) return fitted(recipe, source)
  const box = { width: recipe.width, height: recipe.height }
  const focal = recipe.mode === 'crop' ? recipe.focal : { x: 0.5, y: 0.5 }
  const region = regionOf(source, box, focal)
  const scale = box.width / region.width
  const out = recipe.mode === 'fill' || scale <= 1 ? box : { width: atLeastOne(region.width), height: atLeastOne(region.height) }
  const whole = source.width - region.width < 0.5 && source.height - region.height < 0.5
  return { region, out, scale: recipe.mode === 'fill' ? scale : Math.min(1, scale), whole }
}

/** How large a copy of the whole picture must be so that every cut can be taken from it without enlarging. */
export const headSizeOf = (source: Size, cuts: readonly Cut[], leastSide: number): Size => {
  const least = Math.min(1, leastSide / Math.max(source.width, source.height))
  const scale = Math.max(least, ...cuts.map((cut) => Math.min(1, cut.scale)))
  const exact = cuts.find((cut) => cut.whole && cut.scale === scale)
  return exact?.out ?? { width: Math.ceil(source.width * scale), height: Math.ceil(source.height * scale) }
}

/** Carries a region of the source over to a copy of another size, in whole pixels inside it. */
export const regionIn = (copy: Size, source: Size, region: Region): Region => {
  const x = copy.width / source.width
  const y = copy.height / source.height
  const width = Math.min(copy.width, atLeastOne(region.width * x))
  const height = Math.min(copy.height, atLeastOne(region.height * y))
  return {
    left: Math.min(Math.round(region.left * x), copy.width - width),
    top: Math.min(Math.round(region.top * y), copy.height - height),
    width,
    height,
  }
}

/** The smallest copy that a cut can be taken from without enlarging; the first one when none is large enough. Copies are large to small. */
export const smallestCovering = <S extends Size>(copies: readonly [S, ...S[]], source: Size, cut: Cut): S =>
  copies.findLast(
    (copy) =>
      (copy.width * cut.region.width) / source.width >= cut.out.width - 0.5 &&
      (copy.height * cut.region.height) / source.height >= cut.out.height - 0.5,
  ) ?? copies[0]

const atLeastOne = (side: number): number => Math.max(1, Math.round(side))

const fitted = (recipe: ImageRecipe, source: Size): Cut => {
  const scale = Math.min(1, (recipe.width ?? Infinity) / source.width, (recipe.height ?? Infinity) / source.height)
  const out = { width: atLeastOne(source.width * scale), height: atLeastOne(source.height * scale) }
  return { region: { left: 0, top: 0, ...source }, out, scale, whole: true }
}

const regionOf = (source: Size, box: Size, focal: { x: number; y: number }): Region => {
  const aspect = box.width / box.height
  const wide = source.width / source.height > aspect
  const width = wide ? source.height * aspect : source.width
  const height = wide ? source.height : source.width / aspect
  const start = (at: number, side: number, all: number): number => Math.min(Math.max(at * all - side / 2, 0), all - side)
  return { left: start(focal.x, width, source.width), top: start(focal.y, height, source.height), width, height }
}
