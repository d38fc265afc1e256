import type { RindleContext } from '../../context.ts'
import { RindleError } from '../../core/errors.ts'
import { doomAsset, isolationOf, lockAsset, takeReleased } from '../../database/queries/purge.ts'
import { assetIdOf } from '../steps/asset-id-of.ts'
import { inTransaction } from '../steps/in-transaction.ts'

export interface PurgeOptions {
  /** The app's own open transaction, at read committed: one with an older view cannot know who attached the asset meanwhile. */
  readonly tx?: unknown
  /** Why, for the history. */
  readonly reason?: string
}

/**
 * Takes an asset away for good, in any state: from the commit on nobody can attach or read it, and its files go from storage by and by.
 * An upload that is still open is aborted. Purging again is fine.
 *
 * @throws RindleError `asset_attached` while any slot shows it or will, `asset_not_found`, `transaction_conflict`,
 * `transaction_not_supported`
 */
export async function purge(
  ctx: Pick<RindleContext, 'db' | 'queue' | 'clock' | 'changes'>,
  asset: string | { readonly id: string },
  options: PurgeOptions = {},
): Promise<void> {
  const assetId = assetIdOf(asset)
  await inTransaction(ctx, options.tx, async (tx) => {
    const isolation = options.tx === undefined ? 'read committed' : await isolationOf(tx)
    if (isolation !== 'read committed') throw new RindleError('transaction_not_supported', { given: `a ${isolation} one, for purge` })
    const locked = await lockAsset(tx, assetId, 'decide')
    if (!locked) throw new RindleError('asset_not_found', { assetId })
    if (locked.state === 'deleted') return
    const { held, objectIds } = await takeReleased(tx, assetId)
    if (held > 0) throw new RindleError('asset_attached', { assetId, attachments: held })
    const reason = options.reason === undefined ? {} : { reason: options.reason }
    await doomAsset(tx, ctx, assetId, { objectIds, ...reason })
  })
  if (options.tx === undefined) ctx.changes.announce(assetId)
}
