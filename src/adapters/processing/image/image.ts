import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { extensionOf } from '../../../core/content-type.ts'
import { messageOf } from '../../../core/errors.ts'
import type { MadeVariant } from '../../../core/ports/jail.ts'
import type { ImageFormat, ImageRecipe } from '../../../core/recipe.ts'
import { pictureFacts } from '../../../core/variant-facts.ts'
import type { ImageHeader } from './header.ts'
import { cutOf, headSizeOf, regionIn, smallestCovering, type Cut, type Size } from './geometry.ts'
import { writingNeed } from './need.ts'
import { dominantColorOf, placeholderSide, thumbHashOf } from './placeholder.ts'
import { rawOf, reopened, type Raw } from './raw.ts'
import type { Sharp } from './sharp.ts'

/** A wish for a picture. */
export interface ImageWish {
  readonly name: string
  readonly recipe: ImageRecipe
}

interface ImageJob {
  readonly path: string
  readonly folder: string
  readonly header: ImageHeader
  readonly wishes: readonly ImageWish[]
  /** Asks for the memory that a variant needs; what is refused fails that variant alone. */
  readonly need: (bytes: number) => Promise<void>
}

interface MadeImages {
  readonly variants: readonly MadeVariant[]
  /** The whole picture in every size that was made on the way, large to small. */
  readonly copies: readonly [Raw, ...Raw[]]
}

interface Wanted {
  readonly wish: ImageWish
  readonly cut: Cut
  readonly format: ImageFormat
}

/** How large the one decode has to be for the placeholder and all still variants. */
export const decodeSizeOf = (header: ImageHeader, wishes: readonly ImageWish[]): Size =>
  headSizeOf(
    header,
    wishes.filter((wish) => !movesOn(wish.recipe, header)).map((wish) => cutOf(wish.recipe, header)),
    placeholderSide,
  )

/**
 * Makes the still variants from one decoded copy of the picture, large to small: each is scaled from the smallest copy made so far
 * that covers it, so that nothing is decoded twice and nothing is enlarged from a smaller link. Moving ones are read again from the
 * file, all frames in one go. A variant that fails says so; the others go on.
 */
export const makeImageVariants = async (sharp: Sharp, job: ImageJob, head: Raw): Promise<MadeImages> => {
  const wanted = job.wishes.map((wish): Wanted => ({
    wish,
    cut: cutOf(wish.recipe, job.header),
    format: formatOf(wish.recipe, job.header),
  }))
  const largeToSmall = wanted.toSorted((a, b) => b.cut.scale - a.cut.scale || Number(b.cut.whole) - Number(a.cut.whole))
  const copies: [Raw, ...Raw[]] = [head]
  const made = new Map<string, MadeVariant>()
  for (const one of largeToSmall) {
    const { name } = one.wish
    const moving = movesOn(one.wish.recipe, job.header)
    const encode = (): Promise<Encoded> => (moving ? encodeFrames(sharp, job, one) : encodeStill(sharp, job, one, copies))
    const size = { ...one.cut.out, frames: moving ? job.header.frames : 1 }
    const held = copies.reduce((sum, { pixels }) => sum + pixels.byteLength, 0)
    made.set(
      name,
      await job
        .need(writingNeed(held, size, one.format, job.header.hasAlpha))
        .then(encode)
        .then(
          (result) => stored(job, one, result),
          (err: unknown) => failed(name, err),
        ),
    )
  }
  return { variants: job.wishes.map((wish) => made.get(wish.name) ?? failed(wish.name, null)), copies }
}

/** ThumbHash and dominant colour of a decoded picture, from the smallest copy that is large enough. Copies are large to small. */
export const placeholderOf = async (
  sharp: Sharp,
  copies: MadeImages['copies'],
): Promise<{ placeholder: string; dominantColor: string | null }> => {
  const copy = copies.findLast(({ width, height }) => Math.max(width, height) >= placeholderSide) ?? copies[0]
  const { data, info } = await reopened(sharp, copy)
    .resize(placeholderSide, placeholderSide, { fit: 'inside', withoutEnlargement: true })
    .toColourspace('srgb')
    .ensureAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true })
  return { placeholder: thumbHashOf(data, info), dominantColor: dominantColorOf(data) }
}

interface Encoded extends Size {
  readonly bytes: Buffer
}

const encodeStill = async (sharp: Sharp, job: ImageJob, one: Wanted, copies: [Raw, ...Raw[]]): Promise<Encoded> => {
  const { cut } = one
  const source = smallestCovering(copies, job.header, cut)
  let from = source
  if (!cut.whole || source.width !== cut.out.width || source.height !== cut.out.height) {
    const region = regionIn(source, job.header, cut.region)
    const all = region.width === source.width && region.height === source.height
    const opened = all ? reopened(sharp, source) : reopened(sharp, source).extract(region)
    from = await rawOf(opened.resize(cut.out.width, cut.out.height, { fit: 'fill' }))
    if (cut.whole) copies.push(from)
  }
  const bytes = await encodeAs(reopened(sharp, from), one).toBuffer()
  return { bytes, width: from.width, height: from.height }
}

const encodeFrames = async (sharp: Sharp, job: ImageJob, one: Wanted): Promise<Encoded> => {
  const { cut } = one
  const scale = cut.out.width / cut.region.width
  const copy = {
    width: Math.max(cut.out.width, Math.round(job.header.width * scale)),
    height: Math.max(cut.out.height, Math.round(job.header.height * scale)),
  }
  const resized = sharp(job.path, { animated: true, failOn: 'warning', limitInputPixels: false }).resize(copy.width, copy.height, {
    fit: 'fill',
  })
  const { left, top } = regionIn(copy, job.header, cut.region)
  const area = { left: Math.min(left, copy.width - cut.out.width), top: Math.min(top, copy.height - cut.out.height), ...cut.out }
  const bytes = await encodeAs(cut.whole ? resized : resized.extract(area), one).toBuffer()
  return { bytes, ...cut.out }
}

const encodeAs = (pipeline: ReturnType<Sharp>, { wish: { recipe }, format }: Wanted): ReturnType<Sharp> => {
  const { quality, effort } = recipe
  switch (format) {
    case 'jpeg':
      return pipeline.flatten({ background: recipe.background }).jpeg({ quality })
    case 'png':
      return pipeline.png({ compressionLevel: effort })
    case 'webp':
      return pipeline.webp({ quality, effort: Math.min(6, effort) })
    case 'avif':
      return pipeline.avif({ quality, effort })
  }
}

const formatOf = (recipe: ImageRecipe, header: ImageHeader): ImageFormat => {
  if (recipe.format !== 'auto') return recipe.format
  return header.hasAlpha || movesOn(recipe, header) ? 'webp' : 'jpeg'
}

/** Only webp keeps frames; every other format shows the first one. */
const movesOn = (recipe: ImageRecipe, header: ImageHeader): boolean =>
  recipe.animated && header.animated && (recipe.format === 'webp' || recipe.format === 'auto')

const stored = async (job: ImageJob, { wish, format }: Wanted, { bytes, width, height }: Encoded): Promise<MadeVariant> => {
  const contentType = `image/${format}`
  const extension = extensionOf(contentType) ?? format
  const path = join(job.folder, `${job.wishes.indexOf(wish)}.${extension}`)
  await writeFile(path, bytes, { flag: 'wx' })
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  return { name: wish.name, ok: true, path, contentType, extension, ...pictureFacts({ width, height }), byteSize: bytes.byteLength, sha256 }
}

/** A disk that is full or broken is nobody's verdict: that goes on as a fault. */
const failed = (variant: string, err: unknown): MadeVariant => {
  if (err instanceof Error && 'syscall' in err) throw err
  return { name: variant, ok: false, code: 'variant_failed', message: messageOf('variant_failed', { variant }) }
}
