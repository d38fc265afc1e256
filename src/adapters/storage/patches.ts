import { RindleError } from '../../core/errors.ts'
import type { Patch } from '../../core/ports/storage.ts'

/** @throws RindleError `argument_invalid` when they are not in order, or overlap */
export const refuseBadPatches = (patches: readonly Patch[]): void => {
  let end = 0
  for (const { start, bytes } of patches) {
    const fits = Number.isSafeInteger(start) && start >= end && bytes instanceof Uint8Array && bytes.byteLength > 0
    if (!fits)
      throw new RindleError('argument_invalid', {
        argument: 'patches',
        problem: 'they must be bytes with their starts, ascending and disjoint',
      })
    end = start + bytes.byteLength
  }
}

/** @throws RindleError `argument_invalid`; `object_range_invalid` when one ends beyond the source, whose length stays */
export const refusePatchesBeyond = (patches: readonly Patch[], sizeBytes: number): void => {
  refuseBadPatches(patches)
  const last = patches.at(-1)
  if (last && last.start + last.bytes.byteLength > sizeBytes) throw new RindleError('object_range_invalid', { sizeBytes })
}

/** Whether any of them changes a byte of `[from, to)`. */
export const patchesWithin = (patches: readonly Patch[], from: number, to: number): readonly Patch[] =>
  patches.filter(({ start, bytes }) => start < to && start + bytes.byteLength > from)

/** A copy of `bytes`, which lie at `from` in the whole, with what of the patches falls into them. */
export const patched = (bytes: Uint8Array, from: number, patches: readonly Patch[]): Uint8Array<ArrayBuffer> => {
  const copy = new Uint8Array(bytes)
  for (const { start, bytes: fresh } of patchesWithin(patches, from, from + bytes.byteLength)) {
    const at = start - from
    copy.set(fresh.subarray(Math.max(0, -at), copy.byteLength - at), Math.max(0, at))
  }
  return copy
}
