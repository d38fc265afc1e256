import type { RindleContext } from '../../context.ts'
import { type Declaration, judgeDeclaration, profileNamed, type UploadWish } from '../../core/admission.ts'
import type { Asset } from '../../core/asset.ts'
import { isRindleError, RindleError } from '../../core/errors.ts'
import { stagingKey } from '../../core/object-key.ts'
import { secondsAfter } from '../../core/patience.ts'
import type { ObjectHead } from '../../core/ports/storage.ts'
import type { Profile } from '../../core/profile.ts'
import type { UploadSession } from '../../core/upload-session.ts'
import { lookAgainOnMiss } from '../../database/move.ts'
import { completeUpload, findUpload, insertUpload, renewSessionLease, type StagingObject } from '../../database/queries/upload-sessions.ts'
import { endSession } from '../steps/end-session.ts'
import { holdLease } from '../steps/hold-lease.ts'
import { meter } from '../steps/meter.ts'
import { type OpenedSource, openSource, type UploadSource } from '../../files/open-source.ts'

export interface UploadOptions extends Pick<UploadWish, 'owner' | 'contentType' | 'sha256'> {
  /** Default: the name of the path or of the File. */
  readonly filename?: string
  readonly signal?: AbortSignal
}

type Context = Pick<RindleContext, 'db' | 'stores' | 'queue' | 'clock' | 'ids' | 'profiles' | 'changes' | 'leaseSeconds'>

const longestUploadSeconds = 86_400

/**
 * Takes a file in on the server: streams it to storage, counted on the way and never whole in memory, and hands the asset to the
 * worker. Resolves once the bytes are stored; what is in them is the gate's to say, and its verdict is on the asset (`settled` waits).
 *
 * A source that breaks off or turns out larger than its profile takes throws, and nothing of it stays.
 *
 * @throws RindleError `profile_unknown`, `owner_invalid`, `argument_invalid`, `upload_source_unreadable`, `upload_source_failed`,
 * `upload_too_large`, `extension_missing`, `upload_extension_not_allowed`, `upload_type_not_allowed`, `upload_session_ended`,
 * `storage_failed`; the reason of `signal` when it aborts.
 */
export async function upload(ctx: Context, profileName: string, source: UploadSource, options: UploadOptions = {}): Promise<Asset> {
  const profile = profileNamed(ctx.profiles, profileName)
  const opened = await openSource(source)
  try {
    options.signal?.throwIfAborted()
    const wish = { ...options, filename: options.filename ?? opened.filename ?? '', byteSize: opened.byteSize ?? undefined }
    const declaration = judgeDeclaration(profile, wish)
    return await receive(ctx, { profileName, profile, opened, declaration, signal: options.signal })
  } catch (err) {
    if (!opened.body.locked) await opened.body.cancel(err).catch(() => undefined)
    throw err
  }
}

interface Incoming {
  readonly profileName: string
  readonly profile: Profile
  readonly opened: OpenedSource
  readonly declaration: Declaration
  readonly signal: AbortSignal | undefined
}

const receive = async (ctx: Context, incoming: Incoming): Promise<Asset> => {
  const grantedAtMs = ctx.clock.monotonicMs()
  const { session, object } = await open(ctx, incoming)
  using lease = holdLease(ctx, {
    grantedAtMs,
    renew: (until) => renewSessionLease(ctx.db.pool, session.id, until),
    watch: (look) => ctx.changes.watch(session.assetId, look),
    signal: incoming.signal,
  })
  try {
    const head = await store(ctx, incoming, object, lease.signal)
    const asset = await complete(ctx, session, object, head)
    ctx.changes.announce(asset.id)
    return asset
  } catch (err) {
    const state = await ctx.db.transaction((tx) => endSession(ctx, tx, session.id, 'abort')).catch(() => 'over')
    throw lease.isLost() ? new RindleError('upload_session_ended', { sessionId: session.id, state }, { cause: err }) : err
  }
}

const open = async (
  ctx: Context,
  { profileName, declaration }: Incoming,
): Promise<{ readonly session: UploadSession; readonly object: StagingObject }> => {
  const [sessionId, assetId, objectId] = [ctx.ids.next(), ctx.ids.next(), ctx.ids.next()]
  const now = ctx.clock.now()
  const object = { id: objectId, store: ctx.stores.of(profileName).id, key: stagingKey(sessionId, objectId) }
  const times = { dueAt: secondsAfter(now, ctx.leaseSeconds), expiresAt: secondsAfter(now, longestUploadSeconds) }
  const session = await insertUpload(ctx.db.pool, ctx, {
    sessionId,
    assetId,
    object,
    profile: profileName,
    ...declaration,
    idempotencyKey: null,
    strategy: 'proxied',
    partBytes: null,
    ...times,
  })
  if (!session) throw new RindleError('upload_session_not_found', { sessionId })
  return { session, object }
}

const store = async (
  ctx: Context,
  { profile, opened, declaration }: Incoming,
  object: StagingObject,
  signal: AbortSignal,
): Promise<ObjectHead> => {
  const { maxBytes } = profile
  const { body } = meter(opened.body, {
    judge: (actualBytes) => {
      if (actualBytes > maxBytes) throw new RindleError('upload_too_large', { maxBytes, actualBytes: null })
    },
    broken: (cause) => (isRindleError(cause) ? cause : new RindleError('upload_source_failed', {}, { cause })),
  })
  const size = opened.byteSize === null ? {} : { sizeBytes: opened.byteSize }
  try {
    return await ctx.stores.at(object.store).put(object.key, body, { contentType: declaration.contentType, ...size, signal })
  } catch (err) {
    if (!body.locked) await body.cancel(err).catch(() => undefined)
    throw isRindleError(err) && err.code === 'object_size_mismatch' ? new RindleError('upload_source_failed', {}, { cause: err }) : err
  }
}

const complete = (ctx: Context, session: UploadSession, object: StagingObject, head: ObjectHead): Promise<Asset> =>
  lookAgainOnMiss(async () => {
    const found = await findUpload(ctx.db.pool, session.id)
    if (found?.session.state === 'completed') return found.asset
    if (found?.session.state !== 'uploading')
      throw new RindleError('upload_session_ended', { sessionId: session.id, state: found?.session.state ?? 'gone' })
    return (await completeUpload(ctx.db.pool, ctx, { session: found.session, object, head })).asset
  })
