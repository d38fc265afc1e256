import { RindleError } from './errors.ts'
import type { MultipartLimits } from './ports/storage.ts'

/** How an object is cut: every part has `partBytes` but the last, which has what is left. */
export interface PartPlan {
  readonly partBytes: number
  readonly partCount: number
}

const mebibyte = 1024 * 1024
/** What a part has unless the object is so large that there would be too many. */
export const usualPartBytes = 8 * mebibyte

/**
 * Cuts an object of `byteSize` bytes into parts that its store takes: `wishedPartBytes` each, larger where there would be more parts than
 * the store counts, in whole mebibytes.
 *
 * @throws RindleError `upload_too_large` when no cut fits; `argument_invalid` when the wish is none the store takes.
 */
export const planParts = (byteSize: number, limits: MultipartLimits, wishedPartBytes: number = usualPartBytes): PartPlan => {
  const { minPartBytes, maxPartBytes, maxParts, maxObjectBytes } = limits
  if (byteSize > maxObjectBytes) throw new RindleError('upload_too_large', { maxBytes: maxObjectBytes, actualBytes: byteSize })
  if (!Number.isSafeInteger(wishedPartBytes) || wishedPartBytes < minPartBytes || wishedPartBytes > maxPartBytes)
    throw new RindleError('argument_invalid', {
      argument: 'partBytes',
      problem: `it must be a whole number from ${minPartBytes} to ${maxPartBytes}`,
    })
  const needed = Math.ceil(Math.ceil(byteSize / maxParts) / mebibyte) * mebibyte
  const partBytes = Math.max(wishedPartBytes, needed)
  if (partBytes > maxPartBytes) throw new RindleError('upload_too_large', { maxBytes: maxPartBytes * maxParts, actualBytes: byteSize })
  return { partBytes, partCount: partCountOf(byteSize, partBytes) }
}

/** At least one: an empty object has one empty part. */
export const partCountOf = (byteSize: number, partBytes: number): number => Math.max(1, Math.ceil(byteSize / partBytes))

/** How many bytes part `partNumber` has, counted from 1. */
export const partSizeOf = (byteSize: number, partBytes: number, partNumber: number): number =>
  Math.min(partBytes, byteSize - (partNumber - 1) * partBytes)
