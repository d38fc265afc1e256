import type { RindleContext } from '../../context.ts'
import { planIsEmpty, planSettle, releasedAssets } from '../../core/attachment.ts'
import type { JobRequest } from '../../core/ports/queue.ts'
import type { Queryable } from '../../database/database.ts'
import { listRowsOfSlots, listSlotsToSettle, type SlotKey, tryLockSlots, writeSlots } from '../../database/queries/attachments.ts'
import { lockAsset } from '../../database/queries/purge.ts'

/** How many slots one transaction settles. */
const slotsAtOnce = 200
/** When to come back to a slot that somebody holds: an adopter's transaction may take its time, and is never waited for. */
const busySlotSeconds = 5

/**
 * Carries the gate's verdict on an asset to the slots where it waits: a replacement that passed takes its place and releases what stood
 * there; one that was refused goes. While the gate has yet to speak, nothing changes.
 */
export async function settleSlots(ctx: Pick<RindleContext, 'db' | 'queue' | 'clock'>, assetId: string): Promise<void> {
  const waiting = await listSlotsToSettle(ctx.db.pool, assetId, slotsAtOnce)
  if (waiting.length > 0) await ctx.db.transaction((tx) => settleWithin(ctx, tx, assetId, waiting))
}

async function settleWithin(
  ctx: Pick<RindleContext, 'queue' | 'clock'>,
  tx: Queryable,
  assetId: string,
  waiting: readonly SlotKey[],
): Promise<void> {
  const held = await tryLockSlots(tx, waiting)
  const asset = await lockAsset(tx, assetId, 'settle')
  if (!asset) return
  const rows = await listRowsOfSlots(tx, held)
  const plan = planSettle(asset, rows)
  if (!plan) return
  const left = held.length < waiting.length ? busySlotSeconds : waiting.length === slotsAtOnce ? 0 : null
  const later: JobRequest[] = left === null ? [] : [{ name: 'settle_slots', id: assetId, delaySeconds: left }]
  const purges = releasedAssets(plan).map((id): JobRequest => ({ name: 'purge_asset', id }))
  if (!planIsEmpty(plan) || later.length > 0) await writeSlots(tx, ctx, plan, { left: 'release', jobs: [...purges, ...later] })
}
