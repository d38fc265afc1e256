import type { RindleContext } from '../../context.ts'
import { variantKey } from '../../core/object-key.ts'
import { secondsAfter } from '../../core/patience.ts'
import type { MadeVariant } from '../../core/ports/jail.ts'
import { admissionPath, planVariants, type WantedVariant } from '../../core/variant-plan.ts'
import { attachmentsWait } from '../../database/queries/assets.ts'
import { enqueue } from '../../database/queries/enqueue.ts'
import { admitAsset, type Admitted, type PlannedVariant } from '../../database/queries/gate.ts'
import { putVariants } from '../steps/put-variants.ts'
import { settleVariants } from '../steps/settle-variants.ts'
import type { Attempt } from './attempt.ts'
import type { Passage } from './judge-file.ts'

type Context = Pick<RindleContext, 'db' | 'stores' | 'queue' | 'changes' | 'clock' | 'ids' | 'logger' | 'leaseSeconds'>

/**
 * Writes the gate's yes with the variants that are to be, in one statement; stores what was made of them; settles, and tells the slots that
 * wait. From the statement on the attempt holds its variants instead of the asset.
 *
 * @throws RindleError `statement_missed` when another worker holds the asset now.
 */
export async function admitFile(ctx: Context, attempt: Attempt, passage: Passage): Promise<void> {
  const { claim, profile } = attempt
  const { object, bytes, facts, figures, analysis, variants } = passage
  const assetId = claim.asset.id
  const wanted = planVariants(profile, facts)
  const isMade = wanted.every(({ job }) => job === 'build_variants')
  const plan = wanted.map((one) => plannedVariant(ctx, assetId, one, variants))
  const now = ctx.clock.now()
  const { purgeAfterSeconds } = profile.unattached
  attempt.isAdmitting = true
  const admitted = await admitAsset(ctx.db.pool, ctx, {
    ...{ claim, sealed: object, bytes, facts, analysis, plan, isMade, path: admissionPath(wanted) },
    receivedSha256: receivedSha256Of(attempt) ?? bytes.sha256,
    figures: { ...figures, byteSize: bytes.byteSize },
    leaseUntil: secondsAfter(now, ctx.leaseSeconds),
    purgeAt: purgeAfterSeconds === null ? null : secondsAfter(now, purgeAfterSeconds),
  })
  attempt.holds = isMade ? admitted.variants : []
  ctx.changes.announce(assetId)
  const isAttached =
    isMade && plan.length > 0 ? await store(ctx, attempt, { passage, plan, admitted }) : await attachmentsWait(ctx.db.pool, assetId)
  if (isAttached && !claim.isAttached) await enqueue(ctx.db.pool, ctx, [{ name: 'settle_slots', id: assetId }])
}

/** What was served before is not what came: that was hashed when it came. */
export const receivedSha256Of = ({ claim, bytes }: Attempt): string | null =>
  (claim.asset.passedAt === null ? null : claim.asset.receivedSha256) ?? bytes?.sha256 ?? null

const plannedVariant = (
  ctx: Context,
  assetId: string,
  { name, outputKind, job, digest }: WantedVariant,
  variants: readonly MadeVariant[],
): PlannedVariant => {
  const made = variants.find((one) => one.name === name)
  if (!made?.ok) return { id: ctx.ids.next(), name, outputKind, job, digest, object: null }
  const objectId = ctx.ids.next()
  const object = { id: objectId, key: variantKey(assetId, name, objectId, made.extension), contentType: made.contentType }
  return { id: ctx.ids.next(), name, outputKind, job, digest, object }
}

interface Storing {
  readonly passage: Passage
  readonly plan: readonly PlannedVariant[]
  readonly admitted: Admitted
}

/** Whether an attachment waits for the verdict on the asset. */
const store = async (ctx: Context, { claim, lease }: Attempt, { passage, plan, admitted }: Storing): Promise<boolean> => {
  const held = admitted.variants.flatMap(({ id, fence, name }) => {
    const planned = plan.find((one) => one.name === name)
    return planned ? [{ ...planned, id, fence, faults: 0, made: passage.variants.find((one) => one.name === name) }] : []
  })
  const { signal } = lease
  const outcomes = await putVariants(ctx, { assetId: claim.asset.id, store: passage.object.store, variants: held, signal })
  const code = outcomes.some(({ result }) => result === 'later') ? (signal.aborted ? 'worker_stopped' : 'storage_failed') : null
  return settleVariants(ctx, {
    assetId: claim.asset.id,
    known: {
      asset: { id: claim.asset.id, revision: admitted.revision, state: admitted.state },
      variants: held.map(({ id, fence, outputKind, job, digest }) => ({ id, fence, outputKind, job, digest, state: 'processing' })),
    },
    outcomes,
    run: { id: claim.runId, code, figures: passage.figures },
    mayReplace: claim.hasVariants,
  })
}
