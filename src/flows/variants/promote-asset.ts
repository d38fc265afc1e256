import { join } from 'node:path'
import type { RindleContext } from '../../context.ts'
import { profileNamed, refusal, type Refusal } from '../../core/admission.ts'
import { problemOf } from '../../core/app-code.ts'
import { isRindleError, RindleError } from '../../core/errors.ts'
import { backoffSeconds, deathOf, isDeadly, lostLeases, troubleOf } from '../../core/trouble.ts'
import { isMissed } from '../../database/move.ts'
import { renewAssetLease } from '../../database/queries/assets.ts'
import { returnAsset } from '../../database/queries/gate-refusal.ts'
import { renewVariantLeases } from '../../database/queries/variants.ts'
import { admitFile, receivedSha256Of } from '../gate/admit-file.ts'
import type { Attempt } from '../gate/attempt.ts'
import { judgeFile, receivedIn } from '../gate/judge-file.ts'
import { quarantineAsset } from '../gate/quarantine-asset.ts'
import { takeToGate } from '../gate/take-to-gate.ts'
import { holdLease } from '../steps/hold-lease.ts'
import { makeScratch, removeScratch } from '../steps/make-scratch.ts'
import { sayUnknownProfile } from '../steps/say-unknown-profile.ts'

type Context = Pick<
  RindleContext,
  'db' | 'stores' | 'queue' | 'changes' | 'jail' | 'clock' | 'ids' | 'profiles' | 'host' | 'logger' | 'leaseSeconds'
>

/** `lost`: there was nothing to take, or another worker has it now. `later`: a fault passed by, and the asset waits. */
type PromotionOutcome = 'admitted' | 'refused' | 'later' | 'lost'

/**
 * Takes one asset through the gate and makes its image variants, in one visit: claim; judge the file; write the verdict; store what was
 * made; settle. What each of them is stands in `flows/gate`.
 *
 * A verdict is about the bytes and final, in words on the row. Everything else is a fault: the asset waits and is tried again, later
 * each time, at most an hour. Only a file over which decoders or workers keep dying is held back for it.
 */
export async function promoteAsset(
  ctx: Context,
  assetId: string,
  options: { readonly signal?: AbortSignal } = {},
): Promise<PromotionOutcome> {
  const grantedAtMs = ctx.clock.monotonicMs()
  const claim = await takeToGate(ctx, assetId)
  if (!claim) {
    await sayUnknownProfile(ctx, assetId)
    return 'lost'
  }
  const profile = profileNamed(ctx.profiles, claim.asset.profile)
  if (troubleOf(claim.past).leasesLost >= lostLeases) {
    // No sealed copy is known to have landed, so what is kept is the source.
    const kept = claim.source && { object: claim.source, bytes: null }
    return quarantineAsset(ctx, { claim, profile, verdict: refusal('worker_lost', {}), kept, receivedSha256: null })
  }

  const folder = join(ctx.host.scratchFolder, `rindle-${claim.runId}`)
  const begun: Omit<Attempt, 'lease'> = { claim, profile, folder, bytes: null, isAdmitting: false, holds: [] }
  using lease = holdLease(ctx, {
    ...{ grantedAtMs, signal: options.signal, renew: (until) => renew(ctx, begun, until) },
    watch: (look) => ctx.changes.watch(assetId, look),
  })
  const attempt = Object.assign(begun, { lease })
  try {
    makeScratch(folder)
    const verdict = await judgeFile(ctx, attempt)
    if (verdict.verdict === 'refuse') return await refuse(ctx, attempt, verdict)
    await admitFile(ctx, attempt, verdict)
    return 'admitted'
  } catch (err) {
    if (isMissed(err) || lease.isLost()) return 'lost'
    if (attempt.holds.length > 0) throw err
    return await giveBack(ctx, attempt, options.signal?.aborted ? new RindleError('lease_lost', {}) : err, options.signal?.aborted === true)
  } finally {
    await removeScratch({ folder, file: receivedIn(folder) })
  }
}

/** While the verdict is being written the asset's lease may end before this process hears of it; the statement itself then judges. */
const renew = async (ctx: Context, attempt: Omit<Attempt, 'lease'>, until: Date): Promise<boolean> => {
  if (attempt.holds.length > 0) return (await renewVariantLeases(ctx.db.pool, attempt.holds, until)).length > 0
  const { claim } = attempt
  return (await renewAssetLease(ctx.db.pool, { assetId: claim.asset.id, fence: claim.fence, until })) || attempt.isAdmitting
}

const refuse = (ctx: Context, attempt: Attempt, verdict: Refusal): Promise<PromotionOutcome> => {
  const { claim, profile, bytes } = attempt
  const kept = bytes && claim.sealed ? { object: claim.sealed, bytes } : null
  return quarantineAsset(ctx, { claim, profile, verdict, kept, receivedSha256: receivedSha256Of(attempt) })
}

const giveBack = async (ctx: Context, attempt: Attempt, err: unknown, isStopping: boolean): Promise<PromotionOutcome> => {
  const { claim } = attempt
  const trouble = troubleOf(claim.past)
  const code = isStopping ? 'worker_stopped' : isRindleError(err) ? err.code : 'internal_error'
  if (isRindleError(err) && isDeadly(err.code, claim.past)) return refuse(ctx, attempt, refusal('decoder_killed', deathOf(err)))
  if (!isStopping)
    ctx.logger.warn(
      {
        event: 'gate_fault',
        asset: claim.asset.id,
        code,
        faults: trouble.faults + 1,
        ...(trouble.faults === 0 ? { err } : { problem: problemOf(err) }),
      },
      'a fault at the gate; the asset is tried again later',
    )
  try {
    await returnAsset(ctx.db.pool, ctx, { claim, code, delaySeconds: isStopping ? 0 : backoffSeconds(trouble.faults + 1) })
  } catch (missed) {
    if (isMissed(missed)) return 'lost'
    throw missed
  }
  ctx.changes.announce(claim.asset.id)
  return 'later'
}
