import type { RindleContext } from '../../context.ts'
import type { Attachment } from '../../core/attachment.ts'
import { type OwnerRef, ownerOf } from '../../core/owner.ts'
import { listAttachments } from '../../database/queries/attachments.ts'
import { attachmentsOf } from '../steps/attachments-of.ts'
import { slotOf } from '../steps/slot-of.ts'

/**
 * Reads a slot of many owners, with assets and all their variants, in one query. One list per owner, in the order of `owners`: of a single
 * slot the newest, as `attachmentFor` gives it; of a slot that takes many all, by position. An empty list where nothing is attached.
 *
 * @throws RindleError `slot_unknown`, `owner_invalid`
 */
export async function attachmentsFor(
  ctx: Pick<RindleContext, 'db' | 'slots'>,
  owners: readonly OwnerRef[],
  slot: string,
): Promise<Attachment[][]> {
  const { many } = slotOf(ctx, slot)
  const asked = owners.map(ownerOf)
  if (asked.length === 0) return []
  const rows = Map.groupBy(await listAttachments(ctx.db.pool, asked, slot), ({ place }) => place)
  return asked.map((owner, place) => attachmentsOf(owner, slot, many, rows.get(place) ?? []))
}
