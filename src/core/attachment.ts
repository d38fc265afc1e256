import { type Asset, type AssetState, deliverableStates, gateStates, type Owner } from './asset.ts'
import type { Variant } from './variant.ts'

/** Where a row stands in its slot. `released` protects nothing and is shown to nobody: it promises that somebody looks whether the asset may go. */
export type Standing = 'current' | 'pending' | 'released'

/** Those of an asset's variants that have a row, by name: none before the gate has said yes. */
export type Variants<N extends string = string> = Readonly<Partial<Record<N, Variant<N>>>>

/** What still stands in a slot while its replacement is in the gate. */
export interface Previous<N extends string = string, P extends string = string> {
  readonly asset: Asset<P>
  readonly variants: Variants<N>
}

/** One asset in one slot of one owner. */
export interface Attachment<N extends string = string, P extends string = string> {
  readonly id: string
  readonly owner: Owner
  readonly slot: string
  readonly asset: Asset<P>
  readonly variants: Variants<N>
  /** Draw this one until `asset` may be served. Null when nothing stood there before. */
  readonly previous: Previous<N, P> | null
  readonly alt: string | null
  readonly caption: string | null
  readonly position: number | null
  /** `pending`: a replacement that the gate has yet to pass. */
  readonly standing: Exclude<Standing, 'released'>
}

/** What the caller of attach asks for: a field that is absent stays as it is, null empties it. */
export interface AttachmentWish {
  readonly alt?: string | null
  readonly caption?: string | null
  readonly position?: number | null
}

/** A row of a slot as it was looked at, under the slot's lock. */
export interface SlotRow {
  readonly id: string
  readonly assetId: string
  readonly standing: Exclude<Standing, 'released'>
  readonly position: number | null
  readonly alt: string | null
  readonly caption: string | null
  /** True when somebody is owed a settling of it. */
  readonly due: boolean
}

/** What is to be written to a slot, or to several: every id in at most one of the lists. */
export interface SlotPlan {
  readonly release: readonly SlotRow[]
  /** Rows deleted because the gate refused what they were waiting for. */
  readonly refuse: readonly SlotRow[]
  /** Pending rows that become current. */
  readonly promote: readonly SlotRow[]
  /** Rows that stay where they are and whose words or due date change. */
  readonly change: readonly ChangedRow[]
  readonly insert: readonly NewRow[]
}

export interface ChangedRow extends Words {
  readonly id: string
  readonly due: boolean
}

export interface NewRow extends Words {
  readonly standing: Exclude<Standing, 'released'>
  readonly due: boolean
}

interface Words {
  readonly alt: string | null
  readonly caption: string | null
  readonly position: number | null
}

export const emptyPlan: SlotPlan = { release: [], refuse: [], promote: [], change: [], insert: [] }
export const planIsEmpty = (plan: SlotPlan): boolean => Object.values(plan).every((rows: readonly unknown[]) => rows.length === 0)
