import { isDrawable } from '../../core/delivery-policy.ts'
import type { Recipe } from '../../core/recipe.ts'
import type { AssetView } from '../../flows/delivery/view-asset.ts'
import { type Drawable, type Drawing, type PictureModel, pictureModel, type PictureSource, type PictureWishes } from '../../wire/picture.ts'
import { type Attributes, ownAttributes, renderAttributes } from './markup.ts'
import { checkWishes, recipesOf, type TagContext, type TagSubject, type Viewer, viewToDraw } from './view-to-draw.ts'

export interface PictureTagOptions<N extends string = string> extends PictureWishes<N>, Viewer {
  /** Default: the attachment's own, else empty, which says that the picture is decoration. */
  readonly alt?: string
  /** Further attributes of the `<img>`, such as class or loading. */
  readonly attributes?: Attributes
}

/**
 * A `<picture>` as HTML, everything in it escaped: real sizes, files to choose from by width and type, the blurred colours of the
 * picture behind it, no JavaScript. An attachment whose file may not be served yet shows what stood there before.
 *
 * With null, and while nothing may be shown to the actor, it is the image at `placeholder`, or empty text.
 *
 * @throws RindleError `variant_unknown`, `argument_invalid` for attributes that the tag cannot take, `profile_unknown`
 */
export async function pictureTag(ctx: TagContext, subject: TagSubject, options: PictureTagOptions = {}): Promise<string> {
  const attributes = ownAttributes(options.attributes ?? {}, reserved)
  const view = await viewToDraw(ctx, subject, options)
  if (view) checkWishes(ctx, view, options.variants)
  const model = pictureModel(view && drawableOf(ctx, view, options), options)
  if (!model) return ''
  const alt = options.alt ?? (subject !== null && typeof subject === 'object' && 'alt' in subject ? subject.alt : null) ?? ''
  return render(model, alt, attributes)
}

const reserved = ['src', 'srcset', 'sizes', 'width', 'height', 'alt']

const drawableOf = (ctx: TagContext, view: AssetView, wishes: PictureTagOptions): Drawable => {
  const { asset, original, variants } = view
  const recipes = recipesOf(ctx, view)
  const isStill = (name: string): boolean => !ofFilms.includes(recipes[name]?.kind ?? 'image')
  return {
    original: original && isDrawable(original.contentType) ? drawingOf(original, asset) : null,
    variants: Object.fromEntries(
      variants.flatMap(({ variant, address }) =>
        address && isDrawable(address.contentType) && (wishes.variants || isStill(variant.name))
          ? [[variant.name, drawingOf(address, variant)]]
          : [],
      ),
    ),
    placeholder: asset.placeholder,
  }
}

/** Pictures that are no smaller file of the same picture: they are drawn only where they are asked for by name. */
const ofFilms: readonly Recipe['kind'][] = ['strip', 'preview']

const drawingOf = (
  address: { readonly url: string; readonly contentType: string },
  { width, height }: { readonly width: number | null; readonly height: number | null },
): Drawing => ({
  url: address.url,
  contentType: address.contentType,
  width,
  height,
})

const render = ({ sources, img, background }: PictureModel, alt: string, attributes: Attributes): string => {
  const blur = background === null ? null : `background:url(${background}) center/cover no-repeat`
  const style = [attributes['style'], blur].filter((part) => typeof part === 'string').join(';')
  const { src, width, height, ...choices } = img
  const written: Attributes = { alt, ...attributes, ...(style === '' ? {} : { style }), ...choices, width, height, src }
  return `<picture>${sources.map(sourceTag).join('')}<img${renderAttributes(written)}></picture>`
}

const sourceTag = ({ media, type, sizes, srcset, width, height }: PictureSource): string =>
  `<source${renderAttributes({ media, type, sizes, width, height, srcset })}>`
