import { join } from 'node:path'
import type { RindleContext } from '../../context.ts'
import { type Asset, deliverableStates } from '../../core/asset.ts'
import { isRindleError, messageOf, RindleError } from '../../core/errors.ts'
import { variantKey } from '../../core/object-key.ts'
import { secondsAfter } from '../../core/patience.ts'
import { backoffSeconds, deathOf, isDeadly, lostLeases, troubleOf } from '../../core/trouble.ts'
import type { MadeVariant, VariantWish } from '../../core/ports/jail.ts'
import type { Processor } from '../../core/ports/processor.ts'
import type { Profile } from '../../core/profile.ts'
import { type BuildJob, extensionOfRecipe, planVariants, typeOfRecipe } from '../../core/variant-plan.ts'
import { encodingRulesOf, visitRulesOf } from '../../core/visit-rules.ts'
import { isMissed, lookAgainOnMiss } from '../../database/move.ts'
import { type BuildBid, type BuildLook, type BuildVariant, claimBuild, findBuild } from '../../database/queries/builds.ts'
import type { VariantOutcome } from '../../database/queries/build-settlement.ts'
import type { StoredObject } from '../../database/queries/gate-claim.ts'
import { recordProgress, renewVariantLeases } from '../../database/queries/variants.ts'
import { askAppCode } from '../steps/ask-app-code.ts'
import { fetchSealed, takeRoom } from '../steps/fetch-sealed.ts'
import { type HeldLease, holdLease } from '../steps/hold-lease.ts'
import { processVariants } from '../steps/process-variants.ts'
import { type HeldVariant, putVariants } from '../steps/put-variants.ts'
import { sayUnknownProfile } from '../steps/say-unknown-profile.ts'
import { makeScratch, removeScratch, stampScratch } from '../steps/make-scratch.ts'
import { type KnownBuild, settleVariants } from '../steps/settle-variants.ts'

type Context = Pick<
  RindleContext,
  'db' | 'stores' | 'queue' | 'changes' | 'jail' | 'clock' | 'ids' | 'profiles' | 'host' | 'logger' | 'telemetry' | 'leaseSeconds'
>

/** `nothing`: no variant of the asset waits to be made. */
type BuildOutcome = 'built' | 'later' | 'nothing'

interface Build {
  readonly profile: Profile
  readonly asset: Asset
  readonly original: StoredObject | null
  readonly bid: BuildBid
  /** As it was claimed; null for films, of which this worker settles one file after the other and looks anew each time. */
  readonly known: KnownBuild | null
  readonly held: readonly Held[]
}

type Held = Pick<VariantOutcome, 'id' | 'fence' | 'name' | 'digest'> & {
  readonly object: BuildBid['variants'][number]['object']
  readonly past: BuildVariant['past']
}

/**
 * Makes what an asset that passed the gate still lacks: every queued variant, and those whose worker lost its lease, from the original
 * that is served. The bytes were judged; what fails here fails a variant, never the asset.
 */
export async function buildVariants(
  ctx: Context,
  assetId: string,
  options: { readonly signal?: AbortSignal; readonly job?: BuildJob } = {},
): Promise<BuildOutcome> {
  const grantedAtMs = ctx.clock.monotonicMs()
  const build = await lookAgainOnMiss(() => take(ctx, assetId, options.job ?? 'build_variants'))
  if (!build) {
    await sayUnknownProfile(ctx, assetId)
    return 'nothing'
  }
  ctx.changes.announce(assetId)

  const folder = join(ctx.host.scratchFolder, `rindle-${build.bid.runId}`)
  const renew = async (until: Date): Promise<boolean> => {
    stampScratch(folder)
    return (await renewVariantLeases(ctx.db.pool, build.held, until)).length > 0
  }
  const watch = (look: () => void): (() => void) => ctx.changes.watch(assetId, look)
  using lease = holdLease(ctx, { grantedAtMs, renew, watch, signal: options.signal })
  try {
    makeScratch(folder)
    const fresh = build.held.filter((one) => !isWorn(one))
    const outcomes = [
      ...build.held.filter(isWorn).map(lostWithWorkers),
      ...(fresh.length > 0 ? await make(ctx, build, fresh, folder, lease) : []),
    ]
    const isLater = outcomes.some(({ result }) => result === 'later')
    return await settle(ctx, build, outcomes, isLater ? (options.signal?.aborted ? 'worker_stopped' : 'storage_failed') : null)
  } catch (err) {
    if (lease.isLost()) return 'later'
    if (isMissed(err)) throw err
    return await settleFault(ctx, build, err, options.signal?.aborted === true)
  } finally {
    await removeScratch({ folder, file: originalIn(folder) })
  }
}

/** Looks for what is to be made and claims it. Null when there is nothing, or nobody here knows the profile. */
const take = async (ctx: Context, assetId: string, job: BuildJob): Promise<Build | null> => {
  const look = await findBuild(ctx.db.pool, assetId, ctx.clock.now())
  if (!look || !deliverableStates.includes(look.asset.state)) return null
  const profile = Object.hasOwn(ctx.profiles, look.asset.profile) ? ctx.profiles[look.asset.profile] : undefined
  if (!profile) return null
  const bid = bidFor(ctx, look, { profile, job })
  if (bid.variants.length === 0) return null

  const claimed = await claimBuild(ctx.db.pool, ctx, bid)
  const held = claimed.variants.flatMap(({ id, name, fence }) => {
    const wanted = bid.variants.find((one) => one.id === id)
    const past = look.variants.find((one) => one.id === id)?.past ?? []
    return wanted ? [{ id, name, fence, digest: wanted.digest, object: wanted.object, past }] : []
  })
  const variants = look.variants.map((one) => {
    const mine = held.find(({ id }) => id === one.id)
    return mine ? { ...one, fence: mine.fence, digest: mine.digest, state: 'processing' as const } : one
  })
  const { id, state } = look.asset
  return {
    profile,
    asset: look.asset,
    original: look.original,
    bid,
    held,
    known: job === 'transcode_asset' ? null : { asset: { id, state, revision: claimed.revision }, variants },
  }
}

const bidFor = (ctx: Context, look: BuildLook, { profile, job }: { readonly profile: Profile; readonly job: BuildJob }): BuildBid => {
  const { asset, original } = look
  const hasAlpha = asset.metadata['hasAlpha'] === true
  const mine = look.variants.filter((one) => one.job === job)
  const waiting = mine.filter(({ state, isDue }) => state === 'queued' || (state === 'processing' && isDue))
  const variants = planVariants(profile, asset).flatMap(({ name, recipe, digest }) => {
    const variant = waiting.find((one) => one.name === name)
    if (!variant) return []
    const id = ctx.ids.next()
    const key = variantKey(asset.id, name, id, profile.processor ? null : extensionOfRecipe(recipe, hasAlpha))
    return [{ id: variant.id, name, digest, object: { id, key, contentType: typeOfRecipe(recipe, hasAlpha) } }]
  })
  return {
    ...{
      look,
      variants,
      job,
      store: original?.store ?? ctx.stores.of(asset.profile).id,
      runId: ctx.ids.next(),
      worker: ctx.host.workerName,
    },
    leaseUntil: secondsAfter(ctx.clock.now(), ctx.leaseSeconds),
  }
}

/** It lies beside the folder, which is to be empty. */
const originalIn = (folder: string): string => `${folder}.original`

const make = async (ctx: Context, build: Build, held: readonly Held[], folder: string, lease: HeldLease): Promise<VariantOutcome[]> => {
  const { profile, original, asset } = build
  const path = originalIn(folder)
  const names = held.map(({ name }) => name)
  const wishes = planVariants(profile, build.asset).flatMap(({ name, recipe }) => (names.includes(name) ? [{ name, recipe }] : []))
  if (build.bid.job === 'transcode_asset' && ctx.host.ephemeral !== null)
    throw new RindleError('host_ephemeral', { host: ctx.host.ephemeral })
  using _made = takeRoom(ctx.host, path, bytesMade(build, wishes))
  using room = original && original.byteSize !== null ? takeRoom(ctx.host, path, original.byteSize) : null
  const found = original && (await fetchSealed(ctx, { object: original, path, signal: lease.signal, room }))
  if (!found) throw new RindleError('original_missing', {})
  const making: Making = { build, wishes, folder, file: { path, ...found }, lease }
  const verdict = profile.processor ? await haveProcessed(ctx, profile.processor, making) : await decode(ctx, making)
  lease.signal.throwIfAborted()
  if (!verdict.ok) return held.map((one) => failed(one, verdict.code, verdict.message))
  await recordProgress(ctx.db.pool, held, build.bid.job === 'transcode_asset' ? madeProgress : 50)
  const variants = held.map((one) => ({ ...one, made: madeOf(verdict.variants, one.name), faults: troubleOf(one.past).faults }))
  const put = (some: readonly HeldVariant[]) =>
    putVariants(ctx, { assetId: asset.id, store: build.bid.store, variants: some, signal: lease.signal })
  return build.bid.job === 'transcode_asset' ? putInTurn(ctx, build, variants, put) : put(variants)
}

/** A long film takes minutes to store: what is smaller comes first, and each is served from then on. @returns what is still to be settled. */
const putInTurn = async (
  ctx: Context,
  build: Build,
  variants: readonly HeldVariant[],
  put: (some: readonly HeldVariant[]) => Promise<VariantOutcome[]>,
): Promise<VariantOutcome[]> => {
  const left: VariantOutcome[] = []
  const inTurn = variants.toSorted((one, other) => bytesOf(one) - bytesOf(other))
  for (const [index, variant] of inTurn.entries()) {
    const outcomes = await put([variant])
    const isSettled = index < inTurn.length - 1 && outcomes.every(({ result }) => result === 'stored')
    if (isSettled) await settleVariants(ctx, { assetId: build.asset.id, known: build.known, outcomes, run: null, mayReplace: true })
    else left.push(...outcomes)
  }
  return left
}

const bytesOf = ({ made }: HeldVariant): number => (made?.ok ? made.byteSize : 0)

/** What encoding writes besides the original; pictures are small. Asked for before the original is fetched, which would be thrown away again. */
const bytesMade = ({ asset, bid }: Build, wishes: readonly VariantWish[]): number =>
  bid.job === 'transcode_asset' ? encodingRulesOf(asset.durationMs, wishes).encoding.outputBytes : 0

interface Making {
  readonly build: Build
  readonly wishes: readonly VariantWish[]
  readonly folder: string
  /** The original, as it was fetched. */
  readonly file: { readonly path: string; readonly byteSize: number; readonly sha256: string }
  readonly lease: HeldLease
}

type Made =
  { readonly ok: true; readonly variants: readonly MadeVariant[] } | { readonly ok: false; readonly code: string; readonly message: string }

const decode = async (ctx: Context, { build, wishes, folder, file, lease }: Making): Promise<Made> => {
  const { profile, asset, bid, held } = build
  const rules = visitRulesOf(profile)
  const { timeoutMs, encoding } = encodingRulesOf(asset.durationMs, wishes)
  const progress = progressOf(ctx, asset.id, held)
  const verdict = await ctx.jail.visit({
    ...{ path: file.path, folder, purpose: 'build', filename: asset.id, ...rules, variants: wishes, signal: lease.signal },
    ...(bid.job === 'transcode_asset' ? { encoding, limits: { ...rules.limits, timeoutMs }, onProgress: progress } : {}),
  })
  return verdict.verdict === 'pass' ? { ok: true, variants: verdict.variants } : { ok: false, code: verdict.code, message: verdict.message }
}

/** Tells events and rows how far it is, at most once a second. What cannot be written is no reason to stop. */
const progressOf = (ctx: Context, assetId: string, held: readonly Held[]): ((fraction: number) => void) => {
  let saidAtMs = -everyMs
  return (fraction) => {
    const nowMs = ctx.clock.monotonicMs()
    if (nowMs - saidAtMs < everyMs) return
    saidAtMs = nowMs
    const progress = Math.floor(fraction * madeProgress)
    const known = { name: 'variant.progress', at: ctx.clock.now(), entity: 'variant', assetId, from: 'processing', to: 'processing' }
    for (const { id } of held) ctx.telemetry.publish({ id: ctx.ids.next(), ...known, entityId: id, actor: null, reason: null, progress })
    void recordProgress(ctx.db.pool, held, progress).catch(() => undefined)
  }
}

const everyMs = 1_000
/** What is left is to be stored. */
const madeProgress = 95

/** By the app's own code, which sees what is on the row of the original. */
const haveProcessed = async (ctx: Context, processor: Processor, { build, wishes, folder, file, lease }: Making): Promise<Made> => {
  const { profile, asset } = build
  const { signal } = lease
  const ask = askAppCode(ctx, { asset, facts: { ...asset, kind: asset.kind ?? 'file' }, file, signal })
  return { ok: true, variants: await processVariants(ctx, { profile, processor, wishes, folder, ask, signal }) }
}

const madeOf = (variants: readonly MadeVariant[], name: string): MadeVariant | undefined => variants.find((made) => made.name === name)

/** Workers were lost over it, one after the other: it is not tried again. */
const isWorn = ({ past }: Held): boolean => troubleOf(past).leasesLost >= lostLeases

const lostWithWorkers = (one: Held): VariantOutcome => failed(one, 'worker_lost', messageOf('worker_lost', {}))

const failed = ({ id, fence, name, digest, object }: Held, code: string, message: string): VariantOutcome => ({
  ...{ id, fence, name, digest, objectId: object.id, result: 'failed', code, message },
})

const settle = async (ctx: Context, build: Build, outcomes: readonly VariantOutcome[], code: string | null): Promise<BuildOutcome> => {
  const later = outcomes.some(({ result }) => result === 'later')
  await settleVariants(ctx, {
    ...{ assetId: build.asset.id, known: build.known, outcomes },
    ...{ run: { id: build.bid.runId, code, figures: {} }, mayReplace: true },
    ...(code === 'original_missing' ? { problem: { code, message: messageOf('original_missing', {}) } } : {}),
  })
  return later ? 'later' : 'built'
}

/** What is no verdict is tried again later, unless the original itself is gone or decoders keep dying over it. What was settled before it stays. */
const settleFault = async (ctx: Context, build: Build, err: unknown, isStopping: boolean): Promise<BuildOutcome> => {
  const code = isStopping ? 'worker_stopped' : isRindleError(err) ? err.code : 'internal_error'
  if (!isStopping) ctx.logger.warn({ event: 'variants_fault', asset: build.asset.id, code, err }, 'a fault while variants were made')
  const outcomes = build.held.map((one): VariantOutcome => {
    if (isWorn(one)) return lostWithWorkers(one)
    if (isRindleError(err) && err.code === 'original_missing') return failed(one, err.code, err.message)
    if (isRindleError(err) && isDeadly(err.code, one.past)) return failed(one, 'decoder_killed', messageOf('decoder_killed', deathOf(err)))
    const { id, fence, name, digest, object } = one
    return {
      id,
      fence,
      name,
      digest,
      objectId: object.id,
      result: 'later',
      delaySeconds: isStopping ? 0 : backoffSeconds(troubleOf(one.past).faults + 1),
    }
  })
  return settle(ctx, build, outcomes, code)
}
