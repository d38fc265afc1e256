import type { Deed, Table } from './model.ts'

/** One owner with two slots for one and one for many, and files that nobody else has. */
export interface Seat {
  readonly owner: { readonly type: string; readonly id: number }
  /** Assets by the number of the file. */
  readonly assets: readonly string[]
  readonly sessions: readonly (string | null)[]
  readonly start: Table
  readonly deeds: Deed[]
}
