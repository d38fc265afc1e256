import type { ErrorCode } from '../../../core/errors.ts'
import type { Passed, VisitRequest } from '../attend.ts'

/** One JSON line down the child's standard input: a visit, or what the child asked for during one: bytes as base64, or memory. */
export type Request =
  { readonly visit: VisitRequest; readonly maxDecodeBytes: number } | { readonly bytes: string } | { readonly granted: true }

/** So much may be asked for at once, and so often during a visit: the longest way through a file that recognition goes takes about a thousand. */
export const mostAskedBytes = 1024 * 1024
export const mostAsks = 4_096
/** All that is no answer to a visit is short. */
export const longestAside = 4_096

/** What pictures are decoded with. */
export interface ImageVersions {
  readonly sharp: string
  readonly libvips: string
}

/** One JSON line up descriptor 3: standard output belongs to whatever a library prints. */
export type Reply =
  /** `problem` says why pictures cannot be opened; versions are null when there is no sharp. */
  | { readonly kind: 'warm'; readonly problem: string | null; readonly versions: ImageVersions | null }
  /** More of the file than its beginning is needed; the visit goes on when it came. */
  | { readonly kind: 'ask'; readonly start: number; readonly end: number }
  /** More memory is needed on top of a warm child; the visit goes on when it is there. */
  | { readonly kind: 'need'; readonly bytes: number }
  /** The gate's part of the visit is over; nothing is waited for. */
  | { readonly kind: 'gated' }
  /** So much of the variants is made, from 0 to 1; nothing is waited for. */
  | { readonly kind: 'progress'; readonly fraction: number }
  | { readonly kind: 'pass'; readonly passed: Passed; readonly residentBytes: number }
  /** A failure with a name: a verdict of the gate, or a missing peer. */
  | {
      readonly kind: 'failure'
      readonly code: ErrorCode
      readonly details: Readonly<Record<string, unknown>>
      readonly residentBytes: number
    }
  /** Nothing the bytes are to blame for: a full disk, a file that is gone, a bug. */
  | { readonly kind: 'fault'; readonly problem: string; readonly residentBytes: number }

export const replyDescriptor = 3

/** What a fault says when nothing more could be written. */
export const diskFull = 'ENOSPC'

/** Splits what arrives into lines, whatever the chunks; a line beyond the limit ends it with `onOverlong`. Nothing is read once it has ended. */
export const lineReader = (
  maxLineLength: number,
  /** @returns false to end it. */
  onLine: (line: string) => boolean,
  onOverlong: () => void,
): ((chunk: string) => void) => {
  let kept: string[] = []
  let keptLength = 0
  let ended = false
  return (chunk) => {
    let start = 0
    for (let end = chunk.indexOf('\n'); end >= 0 && !ended; end = chunk.indexOf('\n', start)) {
      const line = kept.join('') + chunk.slice(start, end)
      ;[kept, keptLength, start] = [[], 0, end + 1]
      ended = !onLine(line)
    }
    if (ended) return
    kept.push(chunk.slice(start))
    keptLength += chunk.length - start
    if (keptLength <= maxLineLength) return
    ;[kept, ended] = [[], true]
    onOverlong()
  }
}
