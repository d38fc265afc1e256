import { existsSync, lstatSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { RindleContext } from '../../context.ts'
import { type AskAppCode, oneLine } from '../../core/app-code.ts'
import { decodableImageTypes, inertTypes } from '../../core/content-type.ts'
import { isRindleError, messageOf, RindleError } from '../../core/errors.ts'
import type { MadeVariant, VariantWish, Verdict } from '../../core/ports/jail.ts'
import type { Processor } from '../../core/ports/processor.ts'
import type { Profile } from '../../core/profile.ts'
import { pictureFacts } from '../../core/variant-facts.ts'
import { visitRulesOf } from '../../core/visit-rules.ts'
import { hashFile } from '../../files/hash-file.ts'

interface Processing {
  readonly profile: Profile
  readonly processor: Processor
  readonly wishes: readonly VariantWish[]
  /** The job's own. What is made lies in it until the job ends. */
  readonly folder: string
  readonly ask: AskAppCode
  readonly signal: AbortSignal
}

/**
 * Has the app's processor make variants, one after the other, and looks at each in the jail: what is kept of it was measured, not believed.
 * What turns out to be no picture that can be stored without a risk fails, and so does what the processor says cannot be made.
 *
 * @throws RindleError `app_code_failed` for whatever else it throws, and when it does not answer; `decoder_unavailable`.
 */
export async function processVariants(ctx: Pick<RindleContext, 'jail'>, processing: Processing): Promise<MadeVariant[]> {
  const made: MadeVariant[] = []
  // The decoder could write to the job's folder: what is below this one is nobody's but ours.
  const folder = join(processing.folder, 'processed')
  mkdirSync(folder, { mode: 0o700 })
  for (const [index, wish] of processing.wishes.entries())
    made.push(await makeOne(ctx, processing, { wish, path: join(folder, `${index}`), folder: join(folder, `${index}.look`) }))
  return made
}

interface Making {
  readonly wish: VariantWish
  readonly path: string
  /** For the jail's look at it. */
  readonly folder: string
}

const makeOne = async (ctx: Pick<RindleContext, 'jail'>, processing: Processing, making: Making): Promise<MadeVariant> => {
  const { processor, ask, signal } = processing
  const { wish, path } = making
  const { name } = wish
  const failed = (problem: string, cause?: unknown): RindleError =>
    new RindleError('app_code_failed', { part: 'processor', name: processor.name, problem }, { cause })
  const answer = await ask(processor.timeoutSeconds, async (file) =>
    processor.process({ file, variant: name, recipe: wish.recipe, destination: path, signal: file.signal }),
  )
  if (!answer.ok) {
    const { problem, cause } = answer
    if (isRindleError(cause) && cause.code === 'variant_failed') return notMade(name, oneLine(cause.message))
    throw failed(problem, cause)
  }
  if (!existsSync(path)) throw failed(`it wrote no variant ${name}`)
  if (!lstatSync(path).isFile()) throw failed(`what it wrote for ${name} is no plain file`)
  const { byteSize, sha256 } = await hashFile(path, signal)
  const measured = await measure(ctx, processing, making)
  if (measured?.verdict !== 'pass') return notMade(name)
  const { contentType, extension, width, height } = measured.facts
  const isPicture = inertTypes.has(contentType) && decodableImageTypes.has(contentType)
  if (!isPicture || width === null || height === null) return notMade(name)
  return { name, ok: true, path, contentType, extension, ...pictureFacts({ width, height }), byteSize, sha256 }
}

const notMade = (name: string, message: string = messageOf('variant_failed', { variant: name })): MadeVariant => ({
  ...{ name, ok: false, code: 'variant_failed', message },
})

/**
 * Null when the decoder died over it twice: that is the variant's fault, and no word against the file it was made from. Once may have been
 * anything, such as a machine without memory.
 */
const measure = async (ctx: Pick<RindleContext, 'jail'>, processing: Processing, making: Making): Promise<Verdict | null> =>
  (await lookAt(ctx, processing, making)) ?? lookAt(ctx, processing, { ...making, folder: `${making.folder}.again` })

const lookAt = async (
  ctx: Pick<RindleContext, 'jail'>,
  { profile, signal }: Processing,
  { wish, path, folder }: Making,
): Promise<Verdict | null> => {
  mkdirSync(folder, { mode: 0o700 })
  try {
    return await ctx.jail.visit({
      ...{ path, folder, purpose: 'measure', filename: wish.name, variants: [], signal },
      ...visitRulesOf(profile),
      ...{ profileKind: 'media', allowMime: [...decodableImageTypes], metadata: 'keep', svg: 'refuse' },
    })
  } catch (err) {
    if (isRindleError(err) && err.code === 'decoder_killed') return null
    throw err
  }
}
