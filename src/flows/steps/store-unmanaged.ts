import type { RindleContext } from '../../context.ts'
import { profileNamed } from '../../core/admission.ts'
import { canonicalType, contentTypeOf, extensionIn } from '../../core/content-type.ts'
import { isRindleError, RindleError } from '../../core/errors.ts'
import { unmanagedKey } from '../../core/object-key.ts'
import { secondsAfter } from '../../core/patience.ts'
import { confirmUnmanaged, doomUnmanaged, renewUnmanagedLease, reserveUnmanaged } from '../../database/queries/unmanaged-objects.ts'
import { holdLease } from './hold-lease.ts'
import { meter } from './meter.ts'
import { type OpenedSource, openSource, type UploadSource } from './open-source.ts'

export interface StoreOptions {
  /** Default: what the key's extension stands for, else `application/octet-stream`. */
  readonly contentType?: string
  readonly signal?: AbortSignal
}

/** What lies below a key. */
export interface StoredObject {
  readonly key: string
  readonly byteSize: number
  readonly contentType: string
  readonly etag: string
}

export type StoringContext = Pick<RindleContext, 'db' | 'stores' | 'queue' | 'clock' | 'ids' | 'profiles' | 'leaseSeconds'>

/** What the key's extension says, when nobody said anything else. */
export const typeForKey = (key: string, given: string | undefined): string =>
  given === undefined ? (contentTypeOf(extensionIn(key) ?? '') ?? 'application/octet-stream') : canonicalType(given)

/** Reserves the key, streams the bytes to it under a lease, and records them; what goes wrong leaves a doomed object and no other. */
export async function storeUnmanaged(
  ctx: StoringContext,
  profileName: string,
  key: string,
  source: UploadSource,
  options: StoreOptions,
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

const write = async (ctx: StoringContext, { id, store, key, contentType, opened, grantedAtMs, signal }: Writing): Promise<StoredObject> => {
  using lease = holdLease(ctx, { grantedAtMs, renew: (until) => renewUnmanagedLease(ctx.db.pool, id, until), signal })
  const broken = (cause: unknown): unknown => (isRindleError(cause) ? cause : new RindleError('upload_source_failed', {}, { cause }))
  const { body, sha256 } = meter(opened.body, { broken })
  const size = opened.byteSize === null ? {} : { sizeBytes: opened.byteSize }
  try {
    const head = await ctx.stores.at(store).put(key, body, { contentType, ...size, signal: lease.signal })
    await confirmUnmanaged(ctx.db.pool, ctx, { id, head, sha256: sha256() })
    return { key, byteSize: head.sizeBytes, contentType, etag: head.etag }
  } catch (err) {
    await doomUnmanaged(ctx.db.pool, ctx, { id, leaseSeconds: ctx.leaseSeconds }).catch(() => undefined)
    throw err
  }
}
