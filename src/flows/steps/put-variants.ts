import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import type { RindleContext } from '../../context.ts'
import { isRindleError, messageOf, RindleError } from '../../core/errors.ts'
import { backoffSeconds } from '../../core/trouble.ts'
import { smallFileBytes } from '../../host.ts'
import type { MadeVariant } from '../../core/ports/jail.ts'
import type { VariantOutcome } from '../../database/queries/build-settlement.ts'
import type { VariantHold } from '../../database/queries/variants.ts'
import { openSource } from '../../files/open-source.ts'

/** A variant under this worker's lease, with what the decoder made of it and where it is to go. */
export interface HeldVariant extends VariantHold {
  readonly name: string
  readonly digest: string
  readonly object: { readonly id: string; readonly key: string } | null
  /** Undefined when the decoder said nothing of it. */
  readonly made: MadeVariant | undefined
  /** How many attempts at it went wrong in a row, before this one. */
  readonly faults: number
}

interface Putting {
  readonly assetId: string
  readonly store: string
  readonly variants: readonly HeldVariant[]
  readonly signal: AbortSignal
}

const atOnce = 4
/** As `openSource` opens what a decoder could write to: no link is followed, and no pipe waited for. */
const plainRead = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

/** No more than was announced is ever read, whatever became of the file. @throws RindleError `object_size_mismatch` */
const readPlain = (path: string, byteSize: number): Uint8Array => {
  const file = openSync(path, plainRead)
  try {
    const found = fstatSync(file)
    const bytes = new Uint8Array(byteSize)
    const actualBytes = found.isFile() && found.size === byteSize ? readSync(file, bytes, 0, byteSize, 0) : found.size
    if (!found.isFile() || actualBytes !== byteSize) throw new RindleError('object_size_mismatch', { expectedBytes: byteSize, actualBytes })
    return bytes
  } finally {
    closeSync(file)
  }
}

/**
 * Stores variants at the keys reserved for them, several at once, and says of each what became of it. Never throws: what could not be
 * stored comes back as `later`, so that the others still count, later each time.
 */
export async function putVariants(ctx: Pick<RindleContext, 'stores' | 'logger'>, putting: Putting): Promise<VariantOutcome[]> {
  const outcomes: VariantOutcome[] = []
  const waiting = [...putting.variants]
  const worker = async (): Promise<void> => {
    for (let variant = waiting.shift(); variant; variant = waiting.shift()) outcomes.push(await putVariant(ctx, putting, variant))
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, waiting.length) }, worker))
  return outcomes
}

const putVariant = async (
  ctx: Pick<RindleContext, 'stores' | 'logger'>,
  { assetId, store, signal }: Putting,
  { id, fence, name, digest, object, made, faults }: HeldVariant,
): Promise<VariantOutcome> => {
  const held = { id, fence, name, digest, objectId: object?.id ?? null }
  if (!made || !object)
    return { ...held, result: 'failed', code: 'variant_failed', message: messageOf('variant_failed', { variant: name }) }
  if (!made.ok) return { ...held, result: 'failed', code: made.code, message: made.message }
  let body: ReadableStream<Uint8Array> | null = null
  try {
    signal.throwIfAborted()
    body = (await openSource(made.byteSize <= smallFileBytes ? readPlain(made.path, made.byteSize) : made.path, { plain: true })).body
    const { contentType, byteSize, width, height, durationMs, hasAudioTrack, grid, sha256 } = made
    const head = await ctx.stores.at(store).put(object.key, body, { contentType, sizeBytes: byteSize, signal })
    if (head.sizeBytes !== byteSize) throw new RindleError('object_size_mismatch', { expectedBytes: byteSize, actualBytes: head.sizeBytes })
    return {
      ...held,
      result: 'stored',
      etag: head.etag,
      version: head.version,
      sha256,
      byteSize,
      contentType,
      facts: { width, height, durationMs, hasAudioTrack, grid },
    }
  } catch (err) {
    if (body && !body.locked) await body.cancel(err).catch(() => undefined)
    if (!signal.aborted)
      ctx.logger.warn(
        {
          event: 'variant_not_stored',
          asset: assetId,
          variant: id,
          name,
          store,
          code: isRindleError(err) ? err.code : 'internal_error',
          faults: faults + 1,
          err,
        },
        'a variant could not be stored; it is made again later',
      )
    return { ...held, result: 'later', delaySeconds: signal.aborted ? 0 : backoffSeconds(faults + 1) }
  }
}
