import { mostSpans, type Span } from './span.ts'

const mebibyte = 1024 * 1024
/** Below this all of a file is sent sooner than a store has put it together of what it has and what changed. */
const smallestPatchedBytes = 64 * mebibyte
/** What changed is held in memory while it is sent. */
const mostChangedBytes = 8 * mebibyte

/**
 * The ranges to send of a file that was rewritten, when the rest is better copied by the store from what came. Null: send all of it. What the
 * decoder says of ranges is taken for a hint; ranges that make no sense are none.
 */
export const rangesToSend = (
  changed: readonly Span[] | null,
  { byteSize, receivedBytes }: { readonly byteSize: number; readonly receivedBytes: number },
): readonly Span[] | null => {
  if (changed === null || changed.length === 0 || changed.length > mostSpans) return null
  if (byteSize !== receivedBytes || byteSize < smallestPatchedBytes) return null
  const areOrdered = changed.every(
    ({ start, end }, index) =>
      Number.isSafeInteger(start) && Number.isSafeInteger(end) && start < end && start >= (changed[index - 1]?.end ?? 0) && end <= byteSize,
  )
  const total = changed.reduce((sum, { start, end }) => sum + end - start, 0)
  return areOrdered && total <= mostChangedBytes ? changed : null
}
