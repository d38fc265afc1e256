import type { Owner } from '../../core/asset.ts'
import type { Attachment, Variants } from '../../core/attachment.ts'
import type { Variant } from '../../core/variant.ts'
import type { ShownRow } from '../../database/queries/attachments.ts'

/** What an owner's slot shows, from its rows. A single slot shows its newest alone, with what stands there meanwhile as `previous`. */
export const attachmentsOf = (owner: Owner, slot: string, many: boolean, rows: readonly ShownRow[]): Attachment[] => {
  if (many) return rows.map((row) => attachmentOf(owner, slot, row, null))
  const newest = rows.findLast(({ standing }) => standing === 'pending') ?? rows.findLast(({ standing }) => standing === 'current')
  if (!newest) return []
  const current = newest.standing === 'pending' ? rows.findLast(({ standing }) => standing === 'current') : undefined
  return [attachmentOf(owner, slot, newest, current ?? null)]
}

const attachmentOf = (owner: Owner, slot: string, row: ShownRow, previous: ShownRow | null): Attachment => ({
  id: row.id,
  owner,
  slot,
  asset: row.asset,
  variants: variantsByName(row.variants),
  previous: previous && { asset: previous.asset, variants: variantsByName(previous.variants) },
  alt: row.alt,
  caption: row.caption,
  position: row.position,
  standing: row.standing,
})

const variantsByName = (variants: readonly Variant[]): Variants => Object.fromEntries(variants.map((variant) => [variant.name, variant]))
