import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import type { RindleContext } from '../../context.ts'
import { RindleError } from '../../core/errors.ts'

/**
 * Brings stored bytes into a file of this job's own, hashing them on the way.
 *
 * @returns null when nothing is stored there.
 * @throws RindleError `storage_failed` when fewer bytes came than the store says it has.
 */
export async function fetchSealed(
  ctx: Pick<RindleContext, 'stores'>,
  { object, path, signal }: { readonly object: { readonly store: string; readonly key: string }; readonly path: string; readonly signal: AbortSignal },
): Promise<{ readonly byteSize: number; readonly sha256: string } | null> {
  const found = await ctx.stores.at(object.store).read(object.key, { signal })
  if (!found) return null
  const hash = createHash('sha256')
  const file = await open(path, 'wx', 0o600)
  let byteSize = 0
  try {
    for await (const chunk of found.body) {
      signal.throwIfAborted()
      hash.update(chunk)
      await file.writev([chunk])
      byteSize += chunk.byteLength
    }
  } finally {
    await file.close()
  }
  if (byteSize !== found.sizeBytes) throw new RindleError('storage_failed', { operation: 'read to the end', store: object.store })
  return { byteSize, sha256: hash.digest('hex') }
}
