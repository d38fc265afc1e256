import type { RindleContext } from '../../context.ts'
import { type Asset, deliverableStates } from '../../core/asset.ts'
import type { Attachment } from '../../core/attachment.ts'
import { isDrawable } from '../../core/delivery-policy.ts'
import { RindleError } from '../../core/errors.ts'
import { type AssetView, viewAsset } from '../../flows/delivery/view-asset.ts'
import { type Drawable, type Drawing, type PictureModel, pictureModel, type PictureSource, type PictureWishes } from '../../wire/picture.ts'
import { type Attributes, ownAttributes, renderAttributes } from './markup.ts'

export interface PictureTagOptions<N extends string = string> extends PictureWishes<N> {
  /** Default: the attachment's own, else empty, which says that the picture is decoration. */
  readonly alt?: string
  /** Further attributes of the `<img>`, such as class or loading. */
  readonly attributes?: Attributes
  /** Whom the profile's authorizer is asked about. */
  readonly actor?: unknown
  readonly expiresInSeconds?: number
}

type Context = Pick<RindleContext, 'db' | 'stores' | 'profiles' | 'keys' | 'baseUrl' | 'clock' | 'logger'>

/**
 * A `<picture>` as HTML, everything in it escaped: real sizes, files to choose from by width and type, the blurred colours of the
 * picture behind it, no JavaScript. An attachment whose file may not be served yet shows what stood there before.
 *
 * With null, and while nothing may be shown to the actor, it is the image at `placeholder`, or empty text.
 *
 * @throws RindleError `variant_unknown`, `argument_invalid` for attributes that the tag cannot take, `profile_unknown`
 */
export async function pictureTag(
  ctx: Context,
  subject: Attachment | Asset | { readonly id: string } | null,
  options: PictureTagOptions = {},
): Promise<string> {
  const attributes = ownAttributes(options.attributes ?? {}, reserved)
  const view = subject && (await viewToDraw(ctx, subject, options))
  if (view) refuseUnknownVariants(ctx, view.asset.profile, options)
  const model = pictureModel(view && drawableOf(view), options)
  if (!model) return ''
  const alt = options.alt ?? (subject && 'alt' in subject ? subject.alt : null) ?? ''
  return render(model, alt, attributes)
}

const reserved = ['src', 'srcset', 'sizes', 'width', 'height', 'alt']

const viewToDraw = async (
  ctx: Context,
  subject: Attachment | { readonly id: string },
  { actor, expiresInSeconds }: PictureTagOptions,
): Promise<AssetView | null> => {
  const asked = expiresInSeconds === undefined ? { actor } : { actor, expiresInSeconds }
  const attachment = 'asset' in subject ? subject : null
  const view = await viewAsset(ctx, attachment?.asset ?? subject, asked)
  if (!attachment?.previous || (view && deliverableStates.includes(view.asset.state))) return view
  return viewAsset(ctx, attachment.previous.asset, asked)
}

const refuseUnknownVariants = (ctx: Context, profile: string, { variants = [] }: PictureTagOptions): void => {
  const known = Object.keys(ctx.profiles[profile]?.variants ?? {})
  for (const wish of variants) {
    const name = typeof wish === 'string' ? wish : 'name' in wish ? wish.name : wish[0]
    if (!known.includes(name)) throw new RindleError('variant_unknown', { variant: name, profile, known })
  }
}

const drawableOf = ({ asset, original, variants }: AssetView): Drawable => ({
  original: original && isDrawable(original.contentType) ? drawingOf(original, asset) : null,
  variants: Object.fromEntries(
    variants.flatMap(({ variant, address }) =>
      address && isDrawable(address.contentType) ? [[variant.name, drawingOf(address, variant)]] : [],
    ),
  ),
  placeholder: asset.placeholder,
})

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
