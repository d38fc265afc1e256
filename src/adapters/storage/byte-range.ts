import { RindleError } from '../../core/errors.ts'
import type { ByteRange } from '../../core/ports/storage.ts'

/**
 * The bytes asked for as `[from, to)`, cut at the object's end; all of them without a range.
 *
 * @throws RindleError `object_range_invalid` when none of them is there.
 */
export const spanOf = (range: ByteRange | undefined, sizeBytes: number): { from: number; to: number } => {
  if (!range) return { from: 0, to: sizeBytes }
  const { start, end } = range
  if (!Number.isSafeInteger(start) || start < 0 || start > end || start >= sizeBytes)
    throw new RindleError('object_range_invalid', { sizeBytes })
  return { from: start, to: Math.min(end + 1, sizeBytes) }
}
