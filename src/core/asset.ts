import { defineMachine, type StateOf } from './machine.ts'
import type { Played } from './played.ts'

const passed = ['available', 'processing', 'transcoding', 'ready', 'degraded'] as const

export const assetMachine = defineMachine({
  entity: 'asset',
  table: 'media_assets',
  initial: 'staged',
  states: {
    staged: { means: 'Declared; its upload session is open.' },
    validating: { means: 'The bytes landed; the gate has yet to look.', owed: { cure: 'enqueue' } },
    analyzing: { means: 'A worker holds it at the gate under a lease.', owed: { cure: 'give_back' } },
    promoting: { means: 'The gate said yes; variants are being planned.', passing: true },
    available: { means: 'Passed the gate; its profile makes no variants.' },
    processing: { means: 'Passed the gate; image variants are being made.' },
    transcoding: { means: 'Passed the gate; audio or video variants are being made.' },
    ready: { means: 'Every variant is there.' },
    degraded: { means: 'Served, but a variant or the original is not what it should be.' },
    quarantined: { means: 'The gate refused it; its bytes are kept for a while and served to nobody.' },
    deleted: { means: 'Being purged: nobody attaches or reads it.', owed: { cure: 'enqueue' } },
  },
  moves: {
    accept: { from: ['staged'], to: 'validating', when: 'storage holds what was announced' },
    analyze: { from: ['validating', 'analyzing'], to: 'analyzing', when: 'a worker takes it through the gate' },
    give_back: { from: ['analyzing'], to: 'validating', when: 'a fault passed by or a lease ran out' },
    promote: { from: ['analyzing'], to: 'promoting', when: 'the gate says yes' },
    admit: { from: ['promoting'], to: 'available', when: 'the sealed bytes become the original' },
    process: { from: ['available', 'transcoding', 'ready', 'degraded'], to: 'processing', when: 'image variants are owed' },
    transcode: { from: ['available', 'processing', 'ready', 'degraded'], to: 'transcoding', when: 'audio or video variants are owed' },
    finish: { from: ['available', 'processing', 'transcoding', 'degraded'], to: 'ready', when: 'every variant is there' },
    degrade: {
      from: ['available', 'processing', 'transcoding', 'ready'],
      to: 'degraded',
      when: 'a variant failed, was cancelled or is missing',
    },
    rest: { from: ['processing', 'transcoding', 'ready', 'degraded'], to: 'available', when: 'no variant is wanted any more' },
    refuse: { from: ['analyzing', ...passed], to: 'quarantined', when: 'the gate, a later scan or an operator says no' },
    release: { from: ['quarantined'], to: 'validating', when: 'an operator pardons it, with a reason' },
    doom: {
      from: ['staged', 'validating', 'analyzing', ...passed, 'quarantined'],
      to: 'deleted',
      when: 'nothing holds it any more',
    },
  },
})

export type AssetState = StateOf<typeof assetMachine>
export type AssetKind = 'image' | 'video' | 'audio' | 'file'

/** States in which URLs exist. */
export const deliverableStates: readonly AssetState[] = passed
/** States that `attach` takes. */
export const attachableStates: readonly AssetState[] = ['validating', 'analyzing', 'promoting', ...passed]
/** States in which the gate has yet to speak. */
export const gateStates: readonly AssetState[] = ['validating', 'analyzing', 'promoting']

/** Who a file belongs to: a row of the app's own, by any type name and any id in canonical text. */
export interface Owner {
  readonly type: string
  readonly id: string
}

/** Why an asset is held back or not whole, in words a person understands. */
export interface Problem {
  readonly code: string
  readonly message: string
}

export interface Asset<P extends string = string> extends Played {
  readonly id: string
  readonly profile: P
  readonly state: AssetState
  readonly revision: number
  readonly kind: AssetKind | null
  readonly owner: Owner | null
  readonly filename: string
  /** What the client declared until the gate has looked, then what the bytes are. */
  readonly contentType: string
  readonly byteSize: number | null
  /** Pixels as displayed, after the orientation is applied. */
  readonly width: number | null
  readonly height: number | null
  /** ThumbHash, base64. */
  readonly placeholder: string | null
  /** `#rrggbb`. */
  readonly dominantColor: string | null
  readonly metadata: Readonly<Record<string, unknown>>
  /** Lower-case hex of the bytes as they came. */
  readonly receivedSha256: string | null
  readonly objectId: string | null
  /** Why it is held back, or that its original is gone. Why a variant failed stands on the variant. */
  readonly error: Problem | null
  readonly passedAt: Date | null
  readonly insertedAt: Date
  readonly stateChangedAt: Date
}
