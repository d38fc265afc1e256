import type { AssetState, Problem } from './asset.ts'
import { defineMachine, type StateOf } from './machine.ts'
import type { StripGrid } from './variant-facts.ts'

export const variantMachine = defineMachine({
  entity: 'variant',
  table: 'media_variants',
  initial: 'planned',
  states: {
    planned: { means: 'Wanted by the profile; nobody was told yet.', owed: { cure: 'enqueue' } },
    queued: { means: 'A worker was told to make it.', owed: { cure: 'enqueue' } },
    processing: { means: 'A worker makes it under a lease.', owed: { cure: 'give_back' } },
    ready: { means: 'Its object is stored and served.' },
    stale: { means: 'The recipe moved on; the old object serves until its successor is ready.' },
    missing: { means: 'Its object was found gone.' },
    failed: { means: 'It could not be made; the error says why.' },
    cancelled: { means: 'Someone stopped it on purpose.' },
    purged: { means: 'The profile no longer names it, or the asset is going.' },
  },
  moves: {
    enqueue: { from: ['planned', 'stale', 'missing', 'failed', 'cancelled'], to: 'queued', when: 'a worker is told to make it' },
    start: { from: ['queued', 'processing'], to: 'processing', when: 'a worker begins to make it' },
    finish: { from: ['processing'], to: 'ready', when: 'its object is stored' },
    give_back: { from: ['processing'], to: 'queued', when: 'a fault passed by or a lease ran out' },
    fail: { from: ['planned', 'queued', 'processing'], to: 'failed', when: 'it cannot be made' },
    cancel: { from: ['planned', 'queued', 'processing'], to: 'cancelled', when: 'someone stops it' },
    outdate: { from: ['ready', 'processing'], to: 'stale', when: 'the recipe moves on' },
    miss: { from: ['ready', 'stale'], to: 'missing', when: 'its object is found gone' },
    drop: {
      from: ['planned', 'queued', 'processing', 'ready', 'stale', 'missing', 'failed', 'cancelled'],
      to: 'purged',
      when: 'the profile no longer names it, or its asset goes',
    },
    plan_again: {
      from: ['planned', 'queued', 'processing', 'ready', 'stale', 'missing', 'failed', 'cancelled', 'purged'],
      to: 'planned',
      when: 'the gate admits its asset again, or the profile names it again',
    },
  },
})

export type VariantState = StateOf<typeof variantMachine>
export type OutputKind = 'image' | 'video' | 'audio' | 'waveform'

export interface Variant<N extends string = string> {
  readonly id: string
  readonly assetId: string
  readonly name: N
  readonly outputKind: OutputKind
  readonly state: VariantState
  /** 0 to 100. */
  readonly progress: number
  readonly objectId: string | null
  readonly contentType: string | null
  readonly byteSize: number | null
  readonly width: number | null
  readonly height: number | null
  /** Null for pictures, and for what does not say. */
  readonly durationMs: number | null
  /** Null for what cannot have one. */
  readonly hasAudioTrack: boolean | null
  /** How the frames of a strip lie in it; null for everything else. */
  readonly grid: StripGrid | null
  /** Why it failed or was cancelled. */
  readonly error: Problem | null
  readonly stateChangedAt: Date
}

/** Whether somebody is still to make it, or makes it. */
export const isOwed = ({ state }: { readonly state: VariantState }): boolean =>
  state === 'planned' || state === 'queued' || state === 'processing'

/** The state an asset that passed the gate must be in, given nothing but its variants. */
export const assetStateOf = (
  variants: readonly { readonly state: VariantState; readonly outputKind: OutputKind }[],
): Extract<AssetState, 'available' | 'processing' | 'transcoding' | 'ready' | 'degraded'> => {
  const wanted = variants.filter(({ state }) => state !== 'purged')
  const owed = wanted.filter(isOwed)
  if (owed.some(({ outputKind }) => outputKind !== 'image')) return 'transcoding'
  if (owed.length > 0) return 'processing'
  if (wanted.some(({ state }) => state === 'failed' || state === 'cancelled' || state === 'missing')) return 'degraded'
  return wanted.length > 0 ? 'ready' : 'available'
}
