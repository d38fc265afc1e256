import { join } from 'node:path'
import type { RindleContext } from '../../context.ts'
import { judgeBytes, profileNamed, refusal, type Refusal } from '../../core/admission.ts'
import { problemOf } from '../../core/app-code.ts'
import { isTextType } from '../../core/content-type.ts'
import { isRindleError, RindleError } from '../../core/errors.ts'
import { variantKey } from '../../core/object-key.ts'
import { secondsAfter } from '../../core/patience.ts'
import { backoffSeconds, deathOf, isDeadly, lostLeases, troubleOf } from '../../core/trouble.ts'
import type { Excerpt, Facts, MadeVariant, Rewritten, VariantWish, Verdict } from '../../core/ports/jail.ts'
import type { Profile } from '../../core/profile.ts'
import { isPardoned } from '../../core/quarantine.ts'
import { admissionPath, planVariants, type WantedVariant } from '../../core/variant-plan.ts'
import { visitRulesOf } from '../../core/visit-rules.ts'
import { isMissed } from '../../database/move.ts'
import { attachmentsWait, renewAssetLease } from '../../database/queries/assets.ts'
import { enqueue } from '../../database/queries/enqueue.ts'
import type { GateClaim, GateObject } from '../../database/queries/gate-claim.ts'
import { returnAsset } from '../../database/queries/gate-refusal.ts'
import { admitAsset, type Admitted, type PlannedVariant, type SealedBytes } from '../../database/queries/gate.ts'
import { renewVariantLeases, type VariantHold } from '../../database/queries/variants.ts'
import { analyzeFile } from '../steps/analyze-file.ts'
import { askAppCode } from '../steps/ask-app-code.ts'
import { fetchSealed, type Room, takeRoom } from '../steps/fetch-sealed.ts'
import { hashFile } from '../steps/hash-file.ts'
import { type HeldLease, holdLease } from '../steps/hold-lease.ts'
import { openSource } from '../steps/open-source.ts'
import { processVariants } from '../steps/process-variants.ts'
import { putVariants } from '../steps/put-variants.ts'
import { quarantineAsset } from '../steps/quarantine-asset.ts'
import { sayUnknownProfile } from '../steps/say-unknown-profile.ts'
import { scanFile } from '../steps/scan-file.ts'
import { makeScratch, removeScratch } from '../steps/make-scratch.ts'
import { seal } from '../steps/seal.ts'
import { settleVariants } from '../steps/settle-variants.ts'
import { skimSealed, type Skimmed } from '../steps/skim-sealed.ts'
import { storeRewritten } from '../steps/store-rewritten.ts'
import { takeToGate } from '../steps/take-to-gate.ts'

type Context = Pick<
  RindleContext,
  'db' | 'stores' | 'queue' | 'changes' | 'jail' | 'clock' | 'ids' | 'profiles' | 'host' | 'logger' | 'leaseSeconds'
>

/** `lost`: there was nothing to take, or another worker has it now. `later`: a fault passed by, and the asset waits. */
export type PromotionOutcome = 'admitted' | 'refused' | 'later' | 'lost'

/** What one attempt has come to know. */
interface Attempt {
  readonly claim: GateClaim
  readonly profile: Profile
  readonly lease: HeldLease
  /** For what the decoder makes; it goes with the attempt. */
  readonly folder: string
  /** Set once the sealed bytes were read in full. */
  bytes: SealedBytes | null
  /** True from before the gate's yes is written: from then on the asset's own lease may be gone. */
  isAdmitting: boolean
  holds: readonly VariantHold[]
}

type Passed = Extract<Verdict, { verdict: 'pass' }>

/** A file of this job's own, as this worker read it. */
interface LocalFile {
  readonly path: string
  readonly byteSize: number
  readonly sha256: string
}

/**
 * Takes one asset through the gate and makes its image variants, in one visit: claim; copy the verified bytes to a sealed key; read
 * that copy, judge, rewrite and decode it in a child process; show what would be served to the app's own code; give what was rewritten a
 * sealed key of its own; write the verdict; store what was made; settle.
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
  if (troubleOf(claim.past).leasesLost >= lostLeases) return holdBackLost(ctx, claim, profile)

  const folder = join(ctx.host.scratchFolder, `rindle-${claim.runId}`)
  const attempt: Omit<Attempt, 'lease'> = { claim, profile, folder, bytes: null, isAdmitting: false, holds: [] }
  using lease = holdLease(ctx, {
    ...{ grantedAtMs, signal: options.signal, renew: (until) => renew(ctx, attempt, until) },
    watch: (look) => ctx.changes.watch(assetId, look),
  })
  const held = Object.assign(attempt, { lease })
  try {
    makeScratch(folder)
    return await visit(ctx, held)
  } catch (err) {
    if (isMissed(err) || lease.isLost()) return 'lost'
    if (held.holds.length > 0) throw err
    return await giveBack(ctx, held, options.signal?.aborted ? new RindleError('lease_lost', {}) : err, options.signal?.aborted === true)
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

const visit = async (ctx: Context, attempt: Attempt): Promise<PromotionOutcome> => {
  const { claim, lease, folder } = attempt
  const { source, sealed } = claim
  const path = receivedIn(folder)
  using room = roomFor(ctx, attempt, path)
  const head = source && sealed && (await seal(ctx, { source, sealed, signal: lease.signal }))
  if (!head || !sealed) return refuse(ctx, attempt, refusal('upload_object_changed', {}))

  const read = await readSealed(ctx, attempt, { object: sealed, path, room })
  if (!read) throw new RindleError('storage_failed', { operation: 'read what was just copied', store: sealed.store })
  const { byteSize, sha256, excerpt } = read
  attempt.bytes = { byteSize, sha256, etag: head.etag, version: head.version }

  const verdict = judgeReceived(attempt, read) ?? (await decode(ctx, attempt, path, excerpt))
  lease.signal.throwIfAborted()
  if (verdict.verdict === 'refuse') return refuse(ctx, attempt, verdict)
  const { rewritten } = verdict
  const file = rewritten ? { path: rewritten.path, ...(await readRewritten(attempt, rewritten)) } : { path, byteSize, sha256 }
  const said = await askTheApp(ctx, attempt, file, verdict.facts)
  if (said.refusal) return refuse(ctx, attempt, said.refusal)
  const served = rewritten
    ? await storeRewritten(ctx, {
        ...{ claim, received: { object: sealed, bytes: attempt.bytes }, ...file, ...typeOf(verdict.facts) },
        ...{ changed: rewritten.changed, open: plainly, signal: lease.signal },
      })
    : { object: sealed, bytes: attempt.bytes }
  lease.signal.throwIfAborted()
  return admit(ctx, attempt, { ...served, passed: said.made ? { ...verdict, variants: said.made } : verdict, analysis: said.analysis })
}

/** Taken before anything is copied: what cannot be brought to this disk is not copied and thrown away again with every attempt. */
const roomFor = (ctx: Context, { claim, profile }: Attempt, path: string): Room | null => {
  const byteSize = claim.source?.byteSize ?? null
  return !isBrought(profile) || byteSize === null ? null : takeRoom(ctx.host, path, byteSize)
}

/** What is decoded, or shown to the app's own code, has to lie on the disk as a whole. */
const isBrought = ({ kind, scanners, analyzer }: Profile): boolean => kind === 'media' || scanners.length > 0 || analyzer !== null

interface Reading {
  readonly object: GateObject
  readonly path: string
  readonly room: Room | null
}

/** Of what is only recognised the beginning is enough, so that it may be larger than any disk. */
const readSealed = async (ctx: Context, { profile, lease }: Attempt, { object, path, room }: Reading): Promise<Skimmed | null> => {
  const { signal } = lease
  if (!isBrought(profile)) return skimSealed(ctx, { object, path, mayBeText: profile.allowMime.some(isTextType), signal })
  const read = await fetchSealed(ctx, { object, path, signal, room })
  return read && { ...read, excerpt: undefined }
}

/** The bytes to judge lie beside the folder, which is to be empty. */
const receivedIn = (folder: string): string => `${folder}.received`

/** A decoder could write where this looks: no link is followed. */
const plainly = (path: string): ReturnType<typeof openSource> => openSource(path, { plain: true })

/** An announced checksum is held against what came; what was served before, and may have been rewritten, is no longer that. */
const judgeReceived = ({ claim, profile }: Attempt, read: Skimmed): Refusal | null => {
  const isSettled = claim.asset.passedAt !== null || isPardoned(claim.pardon, refusal('upload_checksum_mismatch', {}))
  return judgeBytes(profile, read, isSettled ? null : claim.declaredSha256)
}

const decode = async (
  ctx: Context,
  { claim, profile, lease, folder }: Attempt,
  path: string,
  excerpt: Excerpt | undefined,
): Promise<Verdict> => {
  return ctx.jail.visit({
    path,
    ...(excerpt ? { excerpt } : {}),
    folder,
    purpose: 'gate',
    filename: claim.asset.filename,
    ...visitRulesOf(profile),
    variants: profile.processor ? [] : wishesOf(profile),
    signal: lease.signal,
  })
}

const wishesOf = (profile: Profile): VariantWish[] => planVariants(profile).map(({ name, recipe }) => ({ name, recipe }))

/** The child's word for its length is held against the file itself; its hash is nobody's word. */
const readRewritten = async (
  { lease }: Attempt,
  { path, byteSize }: Rewritten,
): Promise<{ readonly byteSize: number; readonly sha256: string }> => {
  const read = await hashFile(path, { open: plainly, signal: lease.signal })
  if (read.byteSize !== byteSize) throw new RindleError('decoder_killed', { reason: 'it answered nonsense' })
  return read
}

const typeOf = ({ contentType, extension }: Facts): Pick<Facts, 'contentType' | 'extension'> => ({ contentType, extension })

interface AppSaid {
  readonly refusal: Refusal | null
  readonly analysis: Readonly<Record<string, unknown>> | null
  /** Null: the library has made the variants. */
  readonly made: readonly MadeVariant[] | null
}

/** The app's own scanners, analyzer and processor, over the very bytes that are served if all say yes. */
const askTheApp = async (ctx: Context, { claim, profile, lease, folder }: Attempt, file: LocalFile, facts: Facts): Promise<AppSaid> => {
  const { scanners, analyzer, processor } = profile
  const { signal } = lease
  const { id: assetId, filename } = claim.asset
  const { contentType, kind, width, height } = facts
  const shown = { assetId, profile: claim.asset.profile, filename, contentType, kind, width, height, ...file }
  const ask = askAppCode(ctx, { file: shown, open: plainly, signal })
  const found = await scanFile(scanners, { ask, isPardoned: (verdict) => isPardoned(claim.pardon, verdict) })
  if (found) return { refusal: found, analysis: null, made: null }
  const analysis = analyzer && (await analyzeFile(analyzer, ask))
  const hash = (path: string) => hashFile(path, { open: plainly, signal })
  const made = processor && (await processVariants(ctx, { profile, processor, wishes: wishesOf(profile), folder, ask, hash, signal }))
  return { refusal: null, analysis, made }
}

interface Admitting {
  /** What is served from now on. */
  readonly object: GateObject
  readonly bytes: SealedBytes
  readonly passed: Passed
  readonly analysis: AppSaid['analysis']
}

const admit = async (ctx: Context, attempt: Attempt, { object, bytes, passed, analysis }: Admitting): Promise<PromotionOutcome> => {
  const { claim, profile } = attempt
  const assetId = claim.asset.id
  const wanted = planVariants(profile)
  const plan = wanted.map((one) => plannedVariant(ctx, assetId, one, passed.variants))
  const now = ctx.clock.now()
  const { purgeAfterSeconds } = profile.unattached
  attempt.isAdmitting = true
  const admitted = await admitAsset(ctx.db.pool, ctx, {
    ...{ claim, sealed: object, bytes, facts: passed.facts, analysis, plan, path: admissionPath(wanted) },
    receivedSha256: receivedSha256Of(attempt) ?? bytes.sha256,
    figures: { ...passed.figures, byteSize: bytes.byteSize },
    leaseUntil: secondsAfter(now, ctx.leaseSeconds),
    purgeAt: purgeAfterSeconds === null ? null : secondsAfter(now, purgeAfterSeconds),
  })
  attempt.holds = admitted.variants
  ctx.changes.announce(assetId)
  const isAttached =
    plan.length > 0 ? await store(ctx, attempt, { sealed: object, plan, admitted, passed }) : await attachmentsWait(ctx.db.pool, assetId)
  if (isAttached && !claim.isAttached) await enqueue(ctx.db.pool, ctx, [{ name: 'settle_slots', id: assetId }])
  return 'admitted'
}

/** What was served before is not what came: that was hashed when it came. */
const receivedSha256Of = ({ claim, bytes }: Attempt): string | null =>
  (claim.asset.passedAt === null ? null : claim.asset.receivedSha256) ?? bytes?.sha256 ?? null

const plannedVariant = (
  ctx: Context,
  assetId: string,
  { name, outputKind, digest }: WantedVariant,
  variants: readonly MadeVariant[],
): PlannedVariant => {
  const made = variants.find((one) => one.name === name)
  if (!made?.ok) return { id: ctx.ids.next(), name, outputKind, digest, object: null }
  const objectId = ctx.ids.next()
  const object = { id: objectId, key: variantKey(assetId, name, objectId, made.extension), contentType: made.contentType }
  return { id: ctx.ids.next(), name, outputKind, digest, object }
}

interface Storing {
  readonly sealed: GateObject
  readonly plan: readonly PlannedVariant[]
  readonly admitted: Admitted
  readonly passed: Passed
}

const store = async (ctx: Context, { claim, lease }: Attempt, { sealed, plan, admitted, passed }: Storing): Promise<boolean> => {
  const held = admitted.variants.flatMap(({ id, fence, name }) => {
    const planned = plan.find((one) => one.name === name)
    return planned ? [{ ...planned, id, fence, faults: 0, made: passed.variants.find((one) => one.name === name) }] : []
  })
  const outcomes = await putVariants(ctx, {
    ...{ assetId: claim.asset.id, store: sealed.store, variants: held, signal: lease.signal },
    open: (source) => openSource(source, { plain: true }),
  })
  return settleVariants(ctx, {
    known: {
      asset: { id: claim.asset.id, revision: admitted.revision, state: admitted.state },
      variants: held.map(({ id, fence, outputKind, digest }) => ({ id, fence, outputKind, digest, state: 'processing' })),
    },
    outcomes,
    runId: claim.runId,
    code: outcomes.some(({ result }) => result === 'later') ? (lease.signal.aborted ? 'worker_stopped' : 'storage_failed') : null,
    mayReplace: claim.hasVariants,
    figures: passed.figures,
  })
}

const refuse = (ctx: Context, attempt: Attempt, verdict: Refusal): Promise<PromotionOutcome> => {
  const { claim, profile, bytes } = attempt
  const kept = bytes && claim.sealed ? { object: claim.sealed, bytes } : null
  return holdBack(ctx, { claim, profile, verdict, kept, receivedSha256: receivedSha256Of(attempt) })
}

/** No sealed copy is known to have landed, so what is kept is the source. */
const holdBackLost = (ctx: Context, claim: GateClaim, profile: Profile): Promise<PromotionOutcome> =>
  holdBack(ctx, {
    ...{ claim, profile, verdict: refusal('worker_lost', {}), receivedSha256: null },
    kept: claim.source && { object: claim.source, bytes: null },
  })

/** Files that end what opens them are for whoever runs this machine to know of. */
const holdBack = async (ctx: Context, quarantine: Parameters<typeof quarantineAsset>[1]): Promise<PromotionOutcome> => {
  const outcome = await quarantineAsset(ctx, quarantine)
  const { claim, verdict } = quarantine
  if (outcome === 'refused' && (verdict.code === 'decoder_killed' || verdict.code === 'worker_lost'))
    ctx.logger.warn(
      { asset: claim.asset.id, code: verdict.code, problem: verdict.message },
      'a file was held back: it ended what opened it',
    )
  return outcome
}

const giveBack = async (ctx: Context, attempt: Attempt, err: unknown, isStopping: boolean): Promise<PromotionOutcome> => {
  const { claim } = attempt
  const trouble = troubleOf(claim.past)
  const code = isStopping ? 'worker_stopped' : isRindleError(err) ? err.code : 'internal_error'
  if (isRindleError(err) && isDeadly(err.code, claim.past)) return refuse(ctx, attempt, refusal('decoder_killed', deathOf(err)))
  if (!isStopping)
    ctx.logger.warn(
      { asset: claim.asset.id, code, faults: trouble.faults + 1, ...(trouble.faults === 0 ? { err } : { problem: problemOf(err) }) },
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
