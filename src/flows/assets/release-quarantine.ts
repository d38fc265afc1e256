import type { RindleContext } from '../../context.ts'
import { RindleError } from '../../core/errors.ts'
import { isReleasable, pardonAfter } from '../../core/quarantine.ts'
import { isStorableText } from '../../core/storable.ts'
import { lockAsset } from '../../database/queries/purge.ts'
import { findHeldBack, writeRelease } from '../../database/queries/release.ts'
import { assetIdOf } from '../steps/asset-id-of.ts'
import { inTransaction } from '../steps/in-transaction.ts'

export interface ReleaseQuarantineOptions {
  /** Why, for the history and the row: 1 to 500 characters. */
  readonly reason: string
  /** Who decided it, for the history and the row: 1 to 200 characters. */
  readonly actor: string
  /** The app's own open transaction. */
  readonly tx?: unknown
}

/**
 * Sends a file that is held back to the gate once more, which looks at the bytes that were kept by what the profile says today. What the
 * pardon is about is let through: the same threat that the same scanner found, a size that it cannot look through, a checksum that was
 * announced wrongly. Anything else is judged anew. Who decided it and why stays on the row and in the history.
 *
 * Of two who release it one does. An asset that was in a slot before it was held back is served there again once it has passed; one that never
 * passed has lost its slots, and is attached anew.
 *
 * @throws RindleError `quarantine_not_releasable` for broken files and those that end decoders, `quarantine_expired`, `state_conflict` when
 * it is not held back, `asset_not_found`, `argument_invalid`, `transaction_conflict`
 */
export async function releaseQuarantine(
  ctx: Pick<RindleContext, 'db' | 'queue' | 'clock' | 'changes'>,
  asset: string | { readonly id: string },
  options: ReleaseQuarantineOptions,
): Promise<void> {
  const assetId = assetIdOf(asset)
  const words = {
    reason: textOf('reason', options.reason, 500, 'why the file may be let through'),
    actor: textOf('actor', options.actor, 200, 'who decides it'),
  }
  await inTransaction(ctx, options.tx, async (tx) => {
    await lockAsset(tx, assetId, 'settle')
    const held = await findHeldBack(tx, assetId)
    if (!held || held.state === 'deleted') throw new RindleError('asset_not_found', { assetId })
    const { state, code, pardon, wasReleased } = held
    if (state !== 'quarantined')
      throw new RindleError('state_conflict', { entity: 'asset', id: assetId, move: 'release', expected: ['quarantined'], actual: state })
    if (!isReleasable(code)) throw new RindleError('quarantine_not_releasable', { assetId, code })
    if (!held.isKept) throw new RindleError('quarantine_expired', { assetId })
    const at = ctx.clock.now().toISOString()
    await writeRelease(tx, ctx, { assetId, pardon: pardonAfter(pardon, held, { ...words, at }), wasReleased })
  })
  if (options.tx === undefined) ctx.changes.announce(assetId)
}

const textOf = (argument: string, given: unknown, limit: number, means: string): string => {
  const text = typeof given === 'string' ? given.trim() : ''
  if (text === '' || [...text].length > limit || !isStorableText(text))
    throw new RindleError('argument_invalid', { argument, problem: `it must say ${means}, in 1 to ${limit} characters, without NUL` })
  return text
}
