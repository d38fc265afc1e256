import type { RindleContext } from '../../context.ts'
import type { Attachment } from '../../core/attachment.ts'
import { RindleError } from '../../core/errors.ts'
import { type OwnerRef, ownerOf } from '../../core/owner.ts'
import { listAttachments } from '../../database/queries/attachments.ts'
import { attachmentsOf } from '../steps/attachments-of.ts'
import { slotOf } from '../steps/slot-of.ts'

/**
 * Reads what stands in a slot of an owner, with its asset and variants, in one query; null when nothing does. While a replacement is in the
 * gate it is the replacement, with what stands there meanwhile as `previous`.
 *
 * @throws RindleError `slot_is_many` for a slot that takes many, `slot_unknown`, `owner_invalid`
 */
export async function attachmentFor(ctx: Pick<RindleContext, 'db' | 'slots'>, owner: OwnerRef, slot: string): Promise<Attachment | null> {
  const { many } = slotOf(ctx, slot)
  if (many) throw new RindleError('slot_is_many', { slot })
  const asked = ownerOf(owner)
  const [attachment] = attachmentsOf(asked, slot, many, await listAttachments(ctx.db.pool, [asked], slot))
  return attachment ?? null
}
