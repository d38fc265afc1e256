import type { RindleContext } from '../../context.ts'
import { profileNamed } from '../../core/admission.ts'
import { isRindleError, RindleError } from '../../core/errors.ts'
import { unmanagedKey } from '../../core/object-key.ts'
import { secondsAfter } from '../../core/patience.ts'
import { type StoredObject, typeForKey } from '../../core/stored-object.ts'
import { confirmUnmanaged, doomUnmanaged, renewUnmanagedLease, reserveUnmanaged } from '../../database/queries/unmanaged-objects.ts'
import { holdLease } from '../steps/hold-lease.ts'
import { meter } from '../steps/meter.ts'
import { type OpenedSource, openSource, type UploadSource } from '../../files/open-source.ts'

export interface StoreOptions {
  /** Default: what the key's extension stands for, else `application/octet-stream`. */
  readonly contentType?: string
  readonly signal?: AbortSignal
}

type Context = Pick<RindleContext, 'db' | 'stores' | 'queue' | 'clock' | 'ids' | 'profiles' | 'leaseSeconds' | 'logger'>

/**
 * Stores bytes of the app's own below `unmanaged/` in the profile's store: no asset, no gate and no URL, but a row like everything
 * else, written before the first byte. A key is written once: to write it again, delete it first. What could not be stored is logged.
 *
 * @throws RindleError `object_key_reserved` for keys elsewhere, `object_key_invalid`, `object_exists`, `profile_unknown`,
 * `upload_source_unreadable`, `upload_source_failed`, `storage_failed`, `lease_lost`; the reason of `signal` when it aborts.
 */
export async function store(
  ctx: Context,
  profileName: string,
  key: string,
  source: UploadSource,
  options: StoreOptions = {},
): Promise<StoredObject> {
  profileNamed(ctx.profiles, profileName)
  const place = { id: ctx.ids.next(), store: ctx.stores.of(profileName).id, key: unmanagedKey(key) }
  const contentType = typeForKey(place.key, options.contentType)
  const opened = await openSource(source)
  try {
    options.signal?.throwIfAborted()
    const grantedAtMs = ctx.clock.monotonicMs()
    const dueAt = secondsAfter(ctx.clock.now(), ctx.leaseSeconds)
    if (!(await reserveUnmanaged(ctx.db.pool, ctx, { ...place, contentType, dueAt, watchUntil: null })))
      throw new RindleError('object_exists', {})
    return await write(ctx, { ...place, contentType, opened, grantedAtMs, signal: options.signal })
  } catch (err) {
    if (!opened.body.locked) await opened.body.cancel(err).catch(() => undefined)
    ctx.logger.error({ event: 'store_failed', profile: profileName, err }, 'an object of the app could not be stored')
    throw err
  }
}

interface Writing {
  readonly id: string
  readonly store: string
  readonly key: string
  readonly contentType: string
  readonly opened: OpenedSource
  readonly grantedAtMs: number
  readonly signal: AbortSignal | undefined
}

const write = async (ctx: Context, { id, store, key, contentType, opened, grantedAtMs, signal }: Writing): Promise<StoredObject> => {
  using lease = holdLease(ctx, { grantedAtMs, renew: (until) => renewUnmanagedLease(ctx.db.pool, id, until), signal })
  const broken = (cause: unknown): unknown => (isRindleError(cause) ? cause : new RindleError('upload_source_failed', {}, { cause }))
  const { body, sha256 } = meter(opened.body, { broken })
  const size = opened.byteSize === null ? {} : { sizeBytes: opened.byteSize }
  try {
    const head = await ctx.stores.at(store).put(key, body, { contentType, ...size, signal: lease.signal })
    await confirmUnmanaged(ctx.db.pool, ctx, { id, head, sha256: sha256() })
    return { key, byteSize: head.sizeBytes, contentType, etag: head.etag }
  } catch (err) {
    await doomUnmanaged(ctx.db.pool, ctx, id).catch(() => undefined)
    throw err
  }
}
