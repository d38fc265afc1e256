import type { ImageFormat, ImageMode, ImageRecipe } from './recipe.ts'
import { isWhole } from './shape.ts'
import { suggestion, unknownKeys } from './suggestion.ts'

/** What `image` takes; see `ImageRecipe` for what each says. */
export interface ImageOptions {
  readonly mode?: ImageMode
  readonly width?: number
  readonly height?: number
  readonly format?: ImageFormat | 'auto'
  readonly quality?: number
  readonly effort?: number
  readonly background?: string
  readonly focal?: { readonly x: number; readonly y: number }
  readonly animated?: boolean
}

/**
 * A recipe for one image variant. `fit` (the default) keeps the aspect ratio inside the box, never enlarges and needs one side;
 * `fill` and `crop` give exactly `width` × `height` and need both. Quality is 80, for AVIF 50; `auto` is webp where the source has
 * alpha, else jpeg. Nothing is checked here: `defineProfile` reports every problem of every recipe at once.
 */
export const image = (options: ImageOptions = {}): ImageRecipe =>
  Object.freeze({
    mode: 'fit',
    width: null,
    height: null,
    format: 'auto',
    quality: options.format === 'avif' ? 50 : 80,
    effort: 4,
    background: '#ffffff',
    focal: { x: 0.5, y: 0.5 },
    animated: false,
    ...given(options),
    kind: 'image',
  })

/** What is wrong with a recipe, each problem beginning with `path`. */
export const problemsOfImageRecipe = (recipe: ImageRecipe, path: string): string[] => {
  const problems = unknownKeys(recipe, recipeKeys, path)
  const say = (key: string, problem: string): void => void problems.push(`${path}.${key} ${problem}`)

  const { mode, width, height, quality, effort, focal } = recipe
  if (!modes.includes(mode)) say('mode', oneOf(mode, modes))
  if (!formats.includes(recipe.format)) say('format', oneOf(recipe.format, formats))
  for (const [key, side] of Object.entries({ width, height }))
    if (side !== null && !isWhole(side, 1, maxSide)) say(key, `must be a whole number of pixels from 1 to ${maxSide}`)
  if (mode === 'fit' && width === null && height === null) problems.push(`${path}: mode fit needs a width or a height`)
  if ((mode === 'fill' || mode === 'crop') && (width === null || height === null))
    problems.push(`${path}: mode ${mode} needs both width and height`)
  if (!isWhole(quality, 1, 100)) say('quality', 'must be a whole number from 1 to 100')
  if (!isWhole(effort, 0, 9)) say('effort', 'must be a whole number from 0 to 9')
  if (typeof recipe.background !== 'string' || !/^#[0-9a-f]{6}$/i.test(recipe.background))
    say('background', 'must be a colour like #ffffff')
  if (typeof focal !== 'object' || focal === null || !fraction(focal.x) || !fraction(focal.y))
    say('focal', 'must be { x, y }, each from 0 to 1')
  else problems.push(...unknownKeys(focal, ['x', 'y'], `${path}.focal`))
  if (typeof recipe.animated !== 'boolean') say('animated', 'must be true or false')
  return problems
}

const maxSide = 16_383
const modes: readonly string[] = ['fit', 'fill', 'crop'] satisfies ImageMode[]
const formats: readonly string[] = ['auto', 'jpeg', 'png', 'webp', 'avif'] satisfies (ImageFormat | 'auto')[]
const recipeKeys = ['kind', 'mode', 'width', 'height', 'format', 'quality', 'effort', 'background', 'focal', 'animated']

const given = (options: ImageOptions): ImageOptions =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
const fraction = (value: unknown): boolean => typeof value === 'number' && value >= 0 && value <= 1
const oneOf = (value: unknown, allowed: readonly string[]): string => `must be ${allowed.join(', ')}${suggestion(String(value), allowed)}`
