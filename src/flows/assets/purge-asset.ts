import type { RindleContext } from '../../context.ts'
import { deliverableStates } from '../../core/asset.ts'
import { secondsAfter, wakeUpSeconds } from '../../core/patience.ts'
import type { Queryable } from '../../database/database.ts'
import {
  deferReleased,
  doomAsset,
  endKeeping,
  findResidue,
  lockAsset,
  type PurgeableAsset,
  removeAsset,
  setAssetDue,
  takeReleased,
} from '../../database/queries/purge.ts'

type Purging = Pick<RindleContext, 'db' | 'queue' | 'clock' | 'changes' | 'profiles'>

/**
 * Looks whether an asset that lost a slot, whose keeping in quarantine has ended or that was never attached may go, and if nothing holds
 * it begins its purge. Of one that is being purged, removes the rows once the last of its objects is gone.
 */
export async function purgeAsset(ctx: Purging, assetId: string): Promise<void> {
  const changed = await ctx.db.transaction(async (tx) => {
    const asset = await lockAsset(tx, assetId, 'decide')
    if (!asset) return false
    return asset.state === 'deleted' ? forget(ctx, tx, asset) : consider(ctx, tx, asset)
  })
  if (changed) ctx.changes.announce(assetId)
}

async function consider(ctx: Purging, tx: Queryable, asset: PurgeableAsset): Promise<boolean> {
  const isKept = asset.state === 'quarantined' && asset.hasBytes
  // The sweep that enqueued this moved the date on by so much, in the same statement.
  const isDue = asset.dueAt !== null && asset.dueAt <= secondsAfter(ctx.clock.now(), wakeUpSeconds)
  if (isKept && asset.dueAt && !isDue) {
    await deferReleased(tx, asset.id, asset.dueAt)
    return false
  }
  const isIdle = isDue && deliverableStates.includes(asset.state)
  const mayGoIdle = isIdle && (ctx.profiles[asset.profile]?.unattached.purgeAfterSeconds ?? null) !== null
  const { held, released, objectIds } = await takeReleased(tx, asset.id)
  if (held === 0 && (released > 0 || asset.state === 'quarantined' || mayGoIdle)) {
    await doomAsset(tx, ctx, asset.id, { objectIds })
    return true
  }
  if (isKept) {
    await endKeeping(tx, ctx, asset.id, { objectIds })
    return true
  }
  if (isIdle) await setAssetDue(tx, asset.id, null)
  return false
}

async function forget(ctx: Purging, tx: Queryable, { id }: PurgeableAsset): Promise<boolean> {
  const at = ctx.clock.now()
  const { remaining, nextDueAt } = await findResidue(tx, id, at)
  if (remaining === 0) {
    await removeAsset(tx, id)
    return true
  }
  const soonest = secondsAfter(at, wakeUpSeconds)
  await setAssetDue(tx, id, nextDueAt && nextDueAt > soonest ? nextDueAt : soonest)
  return false
}
