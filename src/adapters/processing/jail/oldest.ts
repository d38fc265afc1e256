import { RindleError } from '../../../core/errors.ts'
import { oldestOf } from '../../../core/decoding-packages.ts'
import { isOlder } from '../../../core/is-older.ts'
import type { ImageVersions } from './protocol.ts'

/** What of it is too old to be given untrusted files, as a `peer_outdated`; null when nothing is. */
export const outdatedIn = (found: ImageVersions): RindleError | null => {
  for (const packageName of ['sharp', 'libvips'] as const) {
    if (!isOlder(found[packageName], oldestOf[packageName])) continue
    return new RindleError('peer_outdated', { packageName, found: found[packageName], needed: oldestOf[packageName] })
  }
  return null
}
