/** Some bytes of a file. */
export interface Span {
  readonly start: number
  /** As in `subarray`. */
  readonly end: number
}

/** As many as are named of a file that was rewritten: one that differs in more places is not worth copying in pieces. */
export const mostSpans = 1_024
