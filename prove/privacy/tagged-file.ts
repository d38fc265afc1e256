import type { Source } from './sources.ts'

export interface Tagged {
  readonly source: Source
  readonly tagging: string
  readonly path: string
  /** Parts that are files of their own, each to be drawn or played as its source is. */
  readonly parts?: readonly { readonly start: number; readonly end: number; readonly source: Source }[]
  /** No reader but the one that is judged opens the whole of it: its parts alone tell. */
  readonly isOnlyParts?: boolean
  /** Where nobody can take the place out, it may be refused in words instead. */
  readonly mayBeRefused?: boolean
}
