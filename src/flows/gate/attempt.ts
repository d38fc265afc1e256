import type { Profile } from '../../core/profile.ts'
import type { GateClaim } from '../../database/queries/gate-claim.ts'
import type { SealedBytes } from '../../database/queries/gate.ts'
import type { VariantHold } from '../../database/queries/variants.ts'
import type { HeldLease } from '../steps/hold-lease.ts'

/** One attempt at taking an asset through the gate, with what it has come to know. */
export interface Attempt {
  readonly claim: GateClaim
  readonly profile: Profile
  readonly lease: HeldLease
  /** For what the decoder makes; it goes with the attempt. */
  readonly folder: string
  /** Set once the sealed bytes were read in full. */
  bytes: SealedBytes | null
  /** True from before the gate's yes is written: from then on the asset's own lease may be gone. */
  isAdmitting: boolean
  /** The variants to store, once the yes is written. */
  holds: readonly VariantHold[]
}
