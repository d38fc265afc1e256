import type { RindleContext } from '../../context.ts'
import { judgeBytes, refusal, type Refusal } from '../../core/admission.ts'
import { isTextType } from '../../core/content-type.ts'
import { RindleError } from '../../core/errors.ts'
import type { Excerpt, Facts, MadeVariant, Rewritten, VariantWish, Verdict } from '../../core/ports/jail.ts'
import type { Profile } from '../../core/profile.ts'
import { isPardoned } from '../../core/quarantine.ts'
import { planVariants } from '../../core/variant-plan.ts'
import { visitRulesOf } from '../../core/visit-rules.ts'
import type { GateObject } from '../../database/queries/gate-claim.ts'
import type { SealedBytes } from '../../database/queries/gate.ts'
import { type Hashed, hashFile } from '../../files/hash-file.ts'
import { askAppCode } from '../steps/ask-app-code.ts'
import { fetchSealed, type Room, takeRoom } from '../steps/fetch-sealed.ts'
import { processVariants } from '../steps/process-variants.ts'
import { analyzeFile } from './analyze-file.ts'
import type { Attempt } from './attempt.ts'
import { scanFile } from './scan-file.ts'
import { seal } from './seal.ts'
import { skimSealed, type Skimmed } from './skim-sealed.ts'
import { storeRewritten } from './store-rewritten.ts'

type Context = Pick<RindleContext, 'db' | 'stores' | 'queue' | 'jail' | 'clock' | 'ids' | 'host' | 'leaseSeconds'>

/** The gate's yes, before it is written. */
export interface Passage extends Omit<Extract<Verdict, { verdict: 'pass' }>, 'rewritten'> {
  /** What is served from now on. */
  readonly object: GateObject
  readonly bytes: SealedBytes
  /** What the app's analyzer found out. */
  readonly analysis: Readonly<Record<string, unknown>> | null
}

/**
 * Looks at a file as a whole: copies the verified bytes to a sealed key, reads that copy, judges, rewrites and decodes it in a child process,
 * shows what would be served to the app's own code, and gives what was rewritten a sealed key of its own. Writes no verdict.
 *
 * @throws whatever is no verdict but a fault, or the lease's reason once that is over.
 */
export async function judgeFile(ctx: Context, attempt: Attempt): Promise<Refusal | Passage> {
  const { claim, lease, folder } = attempt
  const { source, sealed } = claim
  const path = receivedIn(folder)
  using room = roomFor(ctx, attempt, path)
  const head = source && sealed && (await seal(ctx, { source, sealed, signal: lease.signal }))
  if (!head || !sealed) return refusal('upload_object_changed', {})

  const read = await readSealed(ctx, attempt, { object: sealed, path, room })
  if (!read) throw new RindleError('storage_failed', { operation: 'read what was just copied', store: sealed.store })
  const { byteSize, sha256, excerpt } = read
  const received = { object: sealed, bytes: { byteSize, sha256, etag: head.etag, version: head.version } }
  attempt.bytes = received.bytes

  const verdict = judgeReceived(attempt, read) ?? (await decode(ctx, attempt, path, excerpt))
  lease.signal.throwIfAborted()
  if (verdict.verdict === 'refuse') return verdict
  const { rewritten, ...passed } = verdict
  const file = rewritten ? { path: rewritten.path, ...(await readRewritten(attempt, rewritten)) } : { path, byteSize, sha256 }
  const said = await askTheApp(ctx, attempt, file, passed.facts)
  if (said.verdict === 'refuse') return said
  const { contentType, extension } = passed.facts
  const served = rewritten
    ? await storeRewritten(ctx, { claim, received, ...file, contentType, extension, changed: rewritten.changed, signal: lease.signal })
    : received
  lease.signal.throwIfAborted()
  return { ...passed, ...served, variants: said.made ?? passed.variants, analysis: said.analysis }
}

/** The bytes to judge lie beside the folder, which is to be empty. */
export const receivedIn = (folder: string): string => `${folder}.received`

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
): Promise<Verdict> =>
  ctx.jail.visit({
    path,
    ...(excerpt ? { excerpt } : {}),
    folder,
    purpose: 'gate',
    filename: claim.asset.filename,
    ...visitRulesOf(profile),
    variants: profile.processor ? [] : wishesOf(profile),
    signal: lease.signal,
  })

/** What is made at the gate where the file turns out to be a picture, or by the app's own code. */
const wishesOf = (profile: Profile): VariantWish[] =>
  planVariants(profile, { kind: 'image', hasVideoTrack: false, hasAudioTrack: false }).map(({ name, recipe }) => ({ name, recipe }))

/** The child's word for its length is held against the file itself; its hash is nobody's word. */
const readRewritten = async ({ lease }: Attempt, { path, byteSize }: Rewritten): Promise<Hashed> => {
  const read = await hashFile(path, lease.signal)
  if (read.byteSize !== byteSize) throw new RindleError('decoder_killed', { reason: 'it answered nonsense' })
  return read
}

interface AppSaid {
  readonly verdict: 'pass'
  readonly analysis: Passage['analysis']
  /** Null: the library has made the variants. */
  readonly made: readonly MadeVariant[] | null
}

/** The app's own scanners, analyzer and processor, over the very bytes that are served if all say yes. */
const askTheApp = async (
  ctx: Context,
  { claim, profile, lease, folder }: Attempt,
  file: Hashed & { readonly path: string },
  facts: Facts,
): Promise<Refusal | AppSaid> => {
  const { scanners, analyzer, processor } = profile
  const { signal } = lease
  const ask = askAppCode(ctx, { asset: claim.asset, facts, file, signal })
  const found = await scanFile(scanners, { ask, isPardoned: (verdict) => isPardoned(claim.pardon, verdict) })
  if (found) return found
  const analysis = analyzer && (await analyzeFile(analyzer, ask))
  const made = processor && (await processVariants(ctx, { profile, processor, wishes: wishesOf(profile), folder, ask, signal }))
  return { verdict: 'pass', analysis, made }
}
