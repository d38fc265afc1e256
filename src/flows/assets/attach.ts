import type { RindleContext } from '../../context.ts'
import { attachableStates } from '../../core/asset.ts'
import { type Attachment, type AttachmentWish, planAttach, releasedAssets, type SlotPlan } from '../../core/attachment.ts'
import { RindleError } from '../../core/errors.ts'
import { type OwnerRef, ownerOf } from '../../core/owner.ts'
import type { JobRequest } from '../../core/ports/queue.ts'
import { storableText } from '../../core/storable.ts'
import type { Queryable } from '../../database/database.ts'
import { listAttachments, lookAndAttach, type NewAttachment, type Whole, writeSlots } from '../../database/queries/attachments.ts'
import { assetIdOf } from '../steps/asset-id-of.ts'
import { attachmentsOf } from '../steps/attachments-of.ts'
import { inSlot } from '../steps/in-slot.ts'
import { slotOf } from '../steps/slot-of.ts'

export interface AttachOptions extends AttachmentWish {
  /** The app's own open transaction: the attachment then stands or falls with it. */
  readonly tx?: unknown
}

/**
 * Puts an asset into a slot of an owner, in the app's own transaction when there is one.
 *
 * A single slot is replaced: at once by an asset that has passed the gate, else as soon as it has, and until then what stood there is
 * `previous`. What is replaced is purged once nothing else holds it. A slot that takes many keeps an order: at `position`, else after
 * the last. Attaching what is there already changes its words, and calls off a replacement that is still in the gate.
 *
 * @throws RindleError `asset_not_attachable`, `asset_not_found`, `asset_profile_mismatch`, `slot_unknown`, `owner_invalid`,
 * `transaction_conflict`
 */
export async function attach(
  ctx: Pick<RindleContext, 'db' | 'queue' | 'clock' | 'ids' | 'slots'>,
  asset: string | { readonly id: string },
  owner: OwnerRef,
  slot: string,
  options: AttachOptions = {},
): Promise<Attachment> {
  const { tx, ...given } = options
  const { profile, many } = slotOf(ctx, slot)
  const wish = wishOf(given)
  const wanted: NewAttachment = { id: ctx.ids.next(), owner: ownerOf(owner), slot, many, assetId: assetIdOf(asset), profile, wish }
  return inSlot(ctx, tx, wanted, (open) => attachWithin(ctx, open, wanted))
}

async function attachWithin(ctx: Pick<RindleContext, 'queue' | 'clock'>, tx: Queryable, wanted: NewAttachment): Promise<Attachment> {
  const looked = await lookAndAttach(tx, ctx, wanted)
  const found = attachable(looked.found, wanted)
  const { asset } = found
  const seen = { id: asset.id, state: asset.state, hasPassed: asset.passedAt !== null, hasBytes: asset.objectId !== null }
  const plan = planAttach(wanted, seen, looked.rows, wanted.wish)
  if (!looked.attached) await writeSlots(tx, ctx, plan, { left: 'release', insert: wanted, jobs: jobsOf(plan, asset.id) })

  const stands = plan.insert ? { ...plan.insert, id: wanted.id } : plan.change[0]
  const waits = stands?.standing === 'pending'
  const rows = waits
    ? await listAttachments(tx, [wanted.owner], wanted.slot)
    : stands
      ? [{ ...found, ...stands, assetId: asset.id, place: 0 }]
      : []
  const [shown] = attachmentsOf(wanted.owner, wanted.slot, wanted.many, rows)
  if (!shown) throw new RindleError('transaction_conflict', { operation: 'attach' })
  return shown
}

const jobsOf = (plan: SlotPlan, assetId: string): JobRequest[] => {
  const due = plan.insert?.due === true || plan.change.some((row) => row.due)
  const purges = releasedAssets(plan).map((id): JobRequest => ({ name: 'purge_asset', id }))
  return due ? [...purges, { name: 'settle_slots', id: assetId }] : purges
}

const attachable = (found: Whole | null, { assetId, profile, slot }: NewAttachment): Whole => {
  if (!found) throw new RindleError('asset_not_found', { assetId })
  const { asset } = found
  if (asset.profile !== profile)
    throw new RindleError('asset_profile_mismatch', { assetId, profile: asset.profile, slot, expected: profile })
  if (!attachableStates.includes(asset.state)) throw new RindleError('asset_not_attachable', { assetId, state: asset.state })
  return found
}

const wishOf = (wish: AttachmentWish): AttachmentWish => {
  const { alt, caption, position } = wish
  if (position !== undefined && position !== null && !(Number.isInteger(position) && Math.abs(position) < 2 ** 31)) {
    throw new RindleError('argument_invalid', { argument: 'position', problem: 'it must be a whole number, or null' })
  }
  for (const [argument, text] of Object.entries({ alt, caption })) {
    if (text === undefined || text === null) continue
    if (typeof text !== 'string') throw new RindleError('argument_invalid', { argument, problem: 'it must be text, or null' })
  }
  return {
    ...wish,
    ...(typeof alt === 'string' ? { alt: storableText(alt) } : {}),
    ...(typeof caption === 'string' ? { caption: storableText(caption) } : {}),
  }
}
