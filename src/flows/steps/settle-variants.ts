import type { RindleContext } from '../../context.ts'
import { type AssetState, deliverableStates } from '../../core/asset.ts'
import { type BuildJob, buildJobs, reassessment } from '../../core/variant-plan.ts'
import type { OutputKind, VariantState } from '../../core/variant.ts'
import { lookAgainOnMiss } from '../../database/move.ts'
import { attachmentsWait } from '../../database/queries/assets.ts'
import { abandonBuild, type BuildSettlement, settleBuild, type VariantOutcome } from '../../database/queries/build-settlement.ts'
import { findBuild } from '../../database/queries/builds.ts'

/** The asset and all its variants as they were when this worker last wrote them. */
export interface KnownBuild {
  readonly asset: { readonly id: string; readonly revision: number; readonly state: AssetState }
  readonly variants: readonly {
    readonly id: string
    readonly fence: number
    readonly state: VariantState
    readonly outputKind: OutputKind
    readonly job: BuildJob
    readonly digest: string
  }[]
}

interface VariantSettlement {
  readonly assetId: string
  /** Null when this worker has written some of them since, and is to look again. */
  readonly known: KnownBuild | null
  readonly outcomes: readonly VariantOutcome[]
  /** The attempt, which ends with this; null while others of it are still to come. */
  readonly run: {
    readonly id: string
    /** Why a variant has to be made again later; null when none has. */
    readonly code: string | null
    readonly figures: Readonly<Record<string, unknown>>
  } | null
  readonly problem?: BuildSettlement['problem']
  readonly mayReplace: boolean
}

/**
 * Records what became of the variants this worker held: those that still are its own finish, fail or wait, and the asset becomes what
 * all its variants make it, by compare-and-set on its revision. Those that somebody took meanwhile are dropped.
 *
 * @returns whether an attachment waits for the verdict on the asset.
 */
export async function settleVariants(
  ctx: Pick<RindleContext, 'db' | 'queue' | 'clock' | 'changes'>,
  settlement: VariantSettlement,
): Promise<boolean> {
  const { assetId } = settlement
  let { known } = settlement
  const isAttached = await lookAgainOnMiss(async () => {
    const look = known ?? (await findBuild(ctx.db.pool, assetId, ctx.clock.now()))
    known = null
    const held = look && deliverableStates.includes(look.asset.state) ? stillHeld(look, settlement.outcomes) : []
    if (look && held.length > 0) return settleBuild(ctx.db.pool, ctx, decide(look, held, settlement))
    const objectIds = settlement.outcomes.flatMap(({ objectId }) => (objectId === null ? [] : [objectId]))
    await abandonBuild(ctx.db.pool, ctx, { assetId, objectIds, runId: settlement.run?.id ?? null })
    return attachmentsWait(ctx.db.pool, assetId)
  })
  ctx.changes.announce(assetId)
  return isAttached
}

const stillHeld = ({ variants }: KnownBuild, outcomes: readonly VariantOutcome[]): VariantOutcome[] =>
  outcomes.filter(({ id, fence }) =>
    variants.some((variant) => variant.id === id && variant.fence === fence && variant.state === 'processing'),
  )

const decide = (look: KnownBuild, held: readonly VariantOutcome[], settlement: VariantSettlement): BuildSettlement => {
  const { asset, variants } = look
  const isOutdated = ({ id, digest, result }: VariantOutcome): boolean =>
    result === 'stored' && variants.some((variant) => variant.id === id && variant.digest !== digest)
  const after = variants.map(({ id, state, outputKind }) => {
    const outcome = held.find((one) => one.id === id)
    return { outputKind, state: outcome ? stateAfter(outcome, isOutdated(outcome)) : state }
  })
  const lost = settlement.outcomes.filter((outcome) => !held.includes(outcome))
  const isDone = held.some(({ result }) => result !== 'later')
  return {
    asset: { id: asset.id, revision: asset.revision, state: asset.state },
    path: reassessment(asset.state, after),
    ...(settlement.problem === undefined ? {} : { problem: settlement.problem }),
    outcomes: held,
    outdated: held.filter(isOutdated).map(({ id }) => id),
    abandoned: lost.flatMap(({ objectId }) => (objectId === null ? [] : [objectId])),
    mayReplace: settlement.mayReplace,
    jobs: settlement.run ? jobsAfter(look, held) : [],
    run: settlement.run && { ...settlement.run, how: isDone ? 'succeed' : 'fail' },
  }
}

/** What is to be tried again, and the first of the other jobs that something still waits for: each wakes the next. */
const jobsAfter = ({ asset, variants }: KnownBuild, held: readonly VariantOutcome[]): BuildSettlement['jobs'] => {
  const [{ job } = { job: null }] = variants.filter(({ id }) => held.some((one) => one.id === id))
  const delays = held.flatMap((outcome) => (outcome.result === 'later' ? [outcome.delaySeconds] : []))
  const next = buildJobs.find((name) => name !== job && variants.some((one) => one.job === name && one.state === 'queued'))
  return [
    ...(job !== null && delays.length > 0 ? [{ name: job, id: asset.id, delaySeconds: Math.min(...delays) }] : []),
    ...(next ? [{ name: next, id: asset.id }] : []),
  ]
}

const stateAfter = ({ result }: VariantOutcome, isOutdated: boolean): VariantState => {
  if (result === 'stored') return isOutdated ? 'stale' : 'ready'
  return result === 'failed' ? 'failed' : 'queued'
}
