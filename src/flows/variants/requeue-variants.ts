import type { RindleContext } from '../../context.ts'
import { deliverableStates } from '../../core/asset.ts'
import { profileNamed } from '../../core/admission.ts'
import { RindleError } from '../../core/errors.ts'
import { buildJobs, planVariants, reassessment } from '../../core/variant-plan.ts'
import { variantMachine } from '../../core/variant.ts'
import type { BuildVariant } from '../../database/queries/builds.ts'
import { writeRequeue } from '../../database/queries/wanted-builds.ts'
import { assetIdOf } from '../steps/asset-id-of.ts'
import { inTransaction } from '../steps/in-transaction.ts'
import { lookAtBuilds } from '../steps/look-at-builds.ts'

export interface RequeueVariantsOptions<N extends string = string> {
  /** Which; default all that failed or were cancelled. Named ones may be stale or missing as well. */
  readonly variants?: readonly N[]
  /** Who asked, for the history. */
  readonly actor?: string
  /** Why, for the history. */
  readonly reason?: string
  /** The app's own open transaction. */
  readonly tx?: unknown
}

/**
 * Has variants made that failed, were cancelled, went missing or are of an older recipe, by what the profile says today. What is being made
 * already, or is ready, is left as it is.
 *
 * @returns the names of what is made now.
 * @throws RindleError `variant_unknown` for a name that the profile lacks, `state_conflict` while the asset is not served, `asset_not_found`,
 * `profile_unknown`, `transaction_conflict`
 */
export async function requeueVariants(
  ctx: Pick<RindleContext, 'db' | 'queue' | 'clock' | 'changes' | 'profiles'>,
  asset: string | { readonly id: string },
  { tx: own, variants: names, ...by }: RequeueVariantsOptions = {},
): Promise<readonly string[]> {
  const assetId = assetIdOf(asset)
  const requeued = await inTransaction(ctx, own, async (tx) => {
    const look = await lookAtBuilds(ctx, tx, assetId)
    const { state } = look.asset
    if (!deliverableStates.includes(state))
      throw new RindleError('state_conflict', { entity: 'asset', id: assetId, move: 'requeue', expected: deliverableStates, actual: state })
    const planned = planVariants(profileNamed(ctx.profiles, look.asset.profile), look.asset).map(({ name }) => name)
    const unknown = names?.find((name) => !planned.includes(name))
    if (unknown !== undefined) throw new RindleError('variant_unknown', { variant: unknown, profile: look.asset.profile, known: planned })
    const isWanted = (one: BuildVariant): boolean =>
      (names ? names.includes(one.name) && isIdle(one) : ['failed', 'cancelled'].includes(one.state)) && planned.includes(one.name)
    const variants = look.variants.filter(isWanted)
    if (variants.length === 0) return []
    const after = look.variants.map((one) => ({ ...one, state: isWanted(one) ? ('queued' as const) : one.state }))
    const name = buildJobs.find((job) => variants.some((one) => one.job === job))
    const jobs = name ? [{ name, id: assetId }] : []
    await writeRequeue(tx, ctx, { assetId, state, path: reassessment(state, after), variants, jobs, ...by })
    return variants.map((one) => one.name)
  })
  if (own === undefined) ctx.changes.announce(assetId)
  return requeued.toSorted()
}

const isIdle = ({ state }: BuildVariant): boolean => variantMachine.moves.enqueue.from.some((from) => from === state)
