import type { ErrorCode } from '../../../core/errors.ts'
import type { Passed, VisitRequest } from '../attend.ts'

/** One JSON line down the child's standard input. */
export interface Request {
  readonly visit: VisitRequest
}

/** One JSON line up descriptor 3: standard output belongs to whatever a library prints. */
export type Reply =
  | { readonly kind: 'warm'; readonly problem: string | null }
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

/** Splits what arrives into lines, whatever the chunks; a line beyond the limit ends it with `onOverlong`. */
export const lineReader = (maxLineLength: number, onLine: (line: string) => void, onOverlong: () => void): ((chunk: string) => void) => {
  let kept = ''
  return (chunk) => {
    const lines = (kept + chunk).split('\n')
    kept = lines.pop() ?? ''
    for (const line of lines) onLine(line)
    if (kept.length > maxLineLength) onOverlong()
  }
}
