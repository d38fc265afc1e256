import type { RindleContext } from '../../context.ts'
import { messageOf, RindleError } from '../../core/errors.ts'
import { isOwed } from '../../core/variant.ts'
import { reassessment } from '../../core/variant-plan.ts'
import { announceAtCommit } from '../../database/queries/changes.ts'
import { writeCancellation } from '../../database/queries/wanted-builds.ts'
import { assetIdOf } from '../steps/asset-id-of.ts'
import { inTransaction } from '../steps/in-transaction.ts'
import { lookAtBuilds } from '../steps/look-at-builds.ts'

export interface CancelProcessingOptions {
  /** Who stopped it, for the history. */
  readonly actor?: string
  /** Why, for the history. */
  readonly reason?: string
  /** The app's own open transaction. */
  readonly tx?: unknown
}

/**
 * Stops making variants of an asset, wherever a worker makes them: those that wait and those that are being made become `cancelled`, and an
 * encode that runs, in whatever process, is ended within seconds of the commit; where the database's connections cannot listen, when its worker
 * renews its lease, within a third of `leaseSeconds`. What is ready stays; the original is served as before. `requeueVariants` has them made
 * after all.
 *
 * @returns the names of what was stopped.
 * @throws RindleError `not_processing` when nothing is being made of it, nor waits to be, `asset_not_found`, `transaction_conflict`
 */
export async function cancelProcessing(
  ctx: Pick<RindleContext, 'db' | 'queue' | 'clock' | 'changes'>,
  asset: string | { readonly id: string },
  { tx: own, ...by }: CancelProcessingOptions = {},
): Promise<readonly string[]> {
  const assetId = assetIdOf(asset)
  const stopped = await inTransaction(ctx, own, async (tx) => {
    const look = await lookAtBuilds(ctx, tx, assetId)
    const variants = look.variants.filter(isOwed)
    const { state } = look.asset
    if (variants.length === 0) throw new RindleError('not_processing', { assetId, state })
    const after = look.variants.map((one) => ({ ...one, state: isOwed(one) ? ('cancelled' as const) : one.state }))
    const problem = { code: 'processing_cancelled', message: messageOf('processing_cancelled', {}) }
    await writeCancellation(tx, ctx, { assetId, state, path: reassessment(state, after), variants, problem, ...by })
    if (own !== undefined) await announceAtCommit(tx, assetId)
    return variants.map(({ name }) => name)
  })
  if (own === undefined) ctx.changes.announce(assetId)
  return stopped.toSorted()
}
