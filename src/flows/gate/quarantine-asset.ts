import type { RindleContext } from '../../context.ts'
import type { Refusal } from '../../core/admission.ts'
import { secondsAfter } from '../../core/patience.ts'
import type { Profile } from '../../core/profile.ts'
import { isMissed } from '../../database/move.ts'
import { attachmentsWait } from '../../database/queries/assets.ts'
import { enqueue } from '../../database/queries/enqueue.ts'
import type { GateClaim, GateObject } from '../../database/queries/gate-claim.ts'
import { refuseAsset } from '../../database/queries/gate-refusal.ts'
import type { SealedBytes } from '../../database/queries/gate.ts'

interface Quarantine {
  readonly claim: GateClaim
  readonly profile: Profile
  readonly verdict: Refusal
  /** What is kept for an operator: the bytes as they came. Null when there are none. */
  readonly kept: { readonly object: GateObject; readonly bytes: SealedBytes | null } | null
  /** Of what came; null when it was not read, or is known from before. */
  readonly receivedSha256: string | null
}

/**
 * Writes the gate's no, and tells the slots that wait for it. A file that ended what opened it is logged: whoever runs this machine wants to know.
 * `lost`: another worker holds the asset now, and nothing was changed.
 */
export async function quarantineAsset(
  ctx: Pick<RindleContext, 'db' | 'queue' | 'clock' | 'changes' | 'logger'>,
  { claim, profile, verdict, kept, receivedSha256 }: Quarantine,
): Promise<'refused' | 'lost'> {
  const assetId = claim.asset.id
  const { code, message, details } = verdict
  try {
    await refuseAsset(ctx.db.pool, ctx, {
      ...{ claim, code, message, details, kept, receivedSha256 },
      keepUntil: secondsAfter(ctx.clock.now(), profile.quarantine.keepSeconds),
      figures: kept?.bytes ? { byteSize: kept.bytes.byteSize } : {},
    })
  } catch (err) {
    if (isMissed(err)) return 'lost'
    throw err
  }
  ctx.changes.announce(assetId)
  if (!claim.isAttached && (await attachmentsWait(ctx.db.pool, assetId)))
    await enqueue(ctx.db.pool, ctx, [{ name: 'settle_slots', id: assetId }])
  if (code === 'decoder_killed' || code === 'worker_lost')
    ctx.logger.warn({ event: 'file_held_back', asset: assetId, code, problem: message }, 'a file was held back: it ended what opened it')
  return 'refused'
}
