import type { RindleContext } from '../../context.ts'
import { profileNamed } from '../../core/admission.ts'
import { RindleError } from '../../core/errors.ts'
import { normaliseKey } from '../../core/object-key.ts'
import type { ByteRange } from '../../core/ports/storage.ts'

export interface DownloadOptions {
  readonly range?: ByteRange
  readonly signal?: AbortSignal
}

/**
 * Writes what lies below a key of the profile's store, any key, to `destination` and closes it; never whole in memory. A file is
 * `Writable.toWeb(createWriteStream(path))`.
 *
 * @returns how many bytes the whole object has.
 * @throws RindleError `object_not_found`, `object_range_invalid`, `object_key_invalid`, `profile_unknown`, `storage_failed`; the reason of
 * `signal` when it aborts. The destination is then aborted.
 */
export async function download(
  ctx: Pick<RindleContext, 'stores' | 'profiles'>,
  profile: string,
  key: string,
  destination: WritableStream<Uint8Array>,
  options: DownloadOptions = {},
): Promise<{ readonly byteSize: number }> {
  try {
    profileNamed(ctx.profiles, profile)
    const found = await ctx.stores.of(profile).read(normaliseKey(key), options)
    if (!found) throw new RindleError('object_not_found', {})
    await found.body.pipeTo(destination, options.signal ? { signal: options.signal } : {})
    return { byteSize: found.sizeBytes }
  } catch (err) {
    if (!destination.locked) await destination.abort(err).catch(() => undefined)
    throw err
  }
}
