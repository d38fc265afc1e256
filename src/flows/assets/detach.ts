import type { RindleContext } from '../../context.ts'
import { RindleError } from '../../core/errors.ts'
import { type OwnerRef, ownerOf } from '../../core/owner.ts'
import type { Queryable } from '../../database/database.ts'
import { lockRowsOfSlot, writeSlots } from '../../database/queries/attachments.ts'
import { assetIdOf } from '../steps/asset-id-of.ts'
import { inSlot } from '../steps/in-slot.ts'
import { slotOf } from '../steps/slot-of.ts'

export interface DetachOptions {
  /** Which one. Required for slots that take many; in others, nothing happens when another asset stands there. */
  readonly asset?: string | { readonly id: string }
  /** The app's own open transaction. */
  readonly tx?: unknown
}

/**
 * Empties a slot of an owner, a replacement that is still in the gate included. What stood there is purged once nothing else holds it.
 * Nothing there is fine.
 *
 * @throws RindleError `asset_required` for a slot that takes many, `slot_unknown`, `owner_invalid`, `transaction_conflict`
 */
export async function detach(
  ctx: Pick<RindleContext, 'db' | 'queue' | 'clock' | 'slots'>,
  owner: OwnerRef,
  slot: string,
  options: DetachOptions = {},
): Promise<void> {
  const { many } = slotOf(ctx, slot)
  if (many && options.asset === undefined) throw new RindleError('asset_required', { slot })
  const assetId = options.asset === undefined ? null : assetIdOf(options.asset)
  const key = { owner: ownerOf(owner), slot }
  const release = async (tx: Queryable): Promise<void> => {
    const rows = await lockRowsOfSlot(tx, key)
    const leaving = rows.filter((row) => assetId === null || row.assetId === assetId)
    if (leaving.length === 0) return
    const assetIds = [...new Set(leaving.map((row) => row.assetId))]
    const plan = { release: leaving, refuse: [], change: [], insert: null }
    await writeSlots(tx, ctx, plan, { left: 'detach', jobs: assetIds.map((id) => ({ name: 'purge_asset', id })) })
  }
  await inSlot(ctx, options.tx, key, release)
}
