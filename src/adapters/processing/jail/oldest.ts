import { RindleError } from '../../../core/errors.ts'
import { isOlder } from '../../../core/is-older.ts'
import type { ImageVersions } from './protocol.ts'

/** Older ones have holes that untrusted files were seen to use. */
const oldest: ImageVersions = { sharp: '0.35.0', libvips: '8.18.0' }

/** What of it is too old to be given untrusted files, as a `peer_outdated`; null when nothing is. */
export const outdatedIn = (found: ImageVersions): RindleError | null => {
  for (const packageName of ['sharp', 'libvips'] as const) {
    if (!isOlder(found[packageName], oldest[packageName])) continue
    return new RindleError('peer_outdated', { packageName, found: found[packageName], needed: oldest[packageName] })
  }
  return null
}
