import { type Asset, type AssetState, deliverableStates, gateStates, type Owner } from './asset.ts'
import type { Variant } from './variant.ts'

/** Where a row stands in its slot. `released` protects nothing and is shown to nobody: it promises that somebody looks whether the asset may go. */
type Standing = 'current' | 'pending' | 'released'

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

interface Words {
  readonly alt: string | null
  readonly caption: string | null
  readonly position: number | null
}

/** A row of a slot as it was looked at, under the slot's lock. Released ones are none. */
export interface SlotRow extends Words {
  readonly id: string
  readonly assetId: string
  readonly standing: Exclude<Standing, 'released'>
}

/** How a row is to stand afterwards. `due`: its asset is in the gate, so somebody has to settle it later. */
interface ChangedRow extends Words {
  readonly id: string
  readonly was: SlotRow['standing']
  readonly standing: SlotRow['standing']
  readonly due: boolean
}

export interface NewRow extends Words {
  readonly assetId: string
  readonly standing: SlotRow['standing']
  readonly due: boolean
}

/** What is to be written to a slot, or to several: every row in at most one of the lists. */
export interface SlotPlan {
  readonly release: readonly SlotRow[]
  /** Rows that go because the gate refused what they waited for, while its bytes are kept and may be pardoned. */
  readonly refuse: readonly SlotRow[]
  readonly change: readonly ChangedRow[]
  readonly insert: NewRow | null
}

/** An asset as attach and settle look at it. */
export interface SlotAsset {
  readonly id: string
  readonly state: AssetState
  readonly hasPassed: boolean
  /** True while an original is there to be served, or kept in quarantine. */
  readonly hasBytes: boolean
}

/**
 * Decides what attaching `asset` does to a slot that holds `rows`: the last wish wins, and what people see is never taken away for
 * something that the gate has yet to pass.
 */
export const planAttach = (
  slot: { readonly many: boolean },
  asset: SlotAsset,
  rows: readonly SlotRow[],
  wish: AttachmentWish,
): SlotPlan => {
  const inGate = gateStates.includes(asset.state)
  const own = rows.find(({ assetId }) => assetId === asset.id)
  if (slot.many) {
    if (own) return { ...nothing, change: [reworded(own, 'current', inGate, wish)] }
    return { ...nothing, insert: fresh(asset, 'current', inGate, { ...wish, position: wish.position ?? afterLast(rows) }) }
  }
  const current = rows.find(({ standing }) => standing === 'current')
  const others = rows.filter((row) => row !== own)
  const pending = others.filter(({ standing }) => standing === 'pending')
  if (own && own === current) return { ...nothing, release: pending, change: [reworded(own, 'current', inGate, wish)] }
  if (!inGate || rows.length === 0) {
    if (own) return { ...nothing, release: others, change: [reworded(own, 'current', inGate, wish)] }
    return { ...nothing, release: others, insert: fresh(asset, 'current', inGate, wish) }
  }
  if (own) return { ...nothing, change: [reworded(own, 'pending', true, wish)] }
  return { ...nothing, release: pending, insert: fresh(asset, 'pending', true, wish) }
}

/**
 * Decides what the gate's verdict on `asset` means for its rows that wait for one. `rows` holds every row of the slots in question, the
 * slots told apart by `slot`. Null: the gate has yet to speak, so nothing changes.
 */
export const planSettle = (
  asset: SlotAsset,
  rows: readonly (SlotRow & { readonly slot: string; readonly due: boolean })[],
): SlotPlan | null => {
  const own = rows.filter(({ assetId, due }) => assetId === asset.id && due)
  if (deliverableStates.includes(asset.state)) {
    const rising = own.filter(({ standing }) => standing === 'pending')
    const risen = new Set(rising.map(({ slot }) => slot))
    const leaves = ({ standing, slot }: { readonly standing: string; readonly slot: string }): boolean =>
      standing === 'current' && risen.has(slot)
    return {
      ...nothing,
      release: rows.filter(leaves),
      change: own.filter((row) => !leaves(row)).map((row) => reworded(row, 'current', false, {})),
    }
  }
  if (asset.state !== 'quarantined') return null
  if (!asset.hasPassed) return asset.hasBytes ? { ...nothing, refuse: own } : { ...nothing, release: own }
  return {
    ...nothing,
    release: own.filter(({ standing }) => standing === 'pending'),
    change: own.filter(({ standing }) => standing === 'current').map((row) => reworded(row, 'current', false, {})),
  }
}

export const planIsEmpty = (plan: SlotPlan): boolean =>
  plan.release.length + plan.refuse.length + plan.change.length === 0 && plan.insert === null

/** The assets that somebody has to look at once the plan is written: what it releases may go. */
export const releasedAssets = (plan: SlotPlan): string[] => [...new Set(plan.release.map(({ assetId }) => assetId))]

const nothing: SlotPlan = { release: [], refuse: [], change: [], insert: null }

const reworded = (row: SlotRow, standing: SlotRow['standing'], due: boolean, wish: AttachmentWish): ChangedRow => ({
  id: row.id,
  was: row.standing,
  standing,
  due,
  alt: wish.alt === undefined ? row.alt : wish.alt,
  caption: wish.caption === undefined ? row.caption : wish.caption,
  position: wish.position === undefined ? row.position : wish.position,
})

const fresh = (asset: SlotAsset, standing: SlotRow['standing'], due: boolean, wish: AttachmentWish): NewRow => ({
  assetId: asset.id,
  standing,
  due,
  alt: wish.alt ?? null,
  caption: wish.caption ?? null,
  position: wish.position ?? null,
})

const afterLast = (rows: readonly SlotRow[]): number => Math.max(-1, ...rows.map(({ position }) => position ?? -1)) + 1
