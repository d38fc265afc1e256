import type { Visit } from './ports/jail.ts'
import type { Profile } from './profile.ts'

/** So long a file may be looked at, rewritten and decoded: a photo of 48 megapixels takes up to five seconds. */
const gateTimeoutMs = 11_000
/** So long a visit may take with its variants, which may be slow to encode. */
const visitTimeoutMs = 120_000

/** What a profile lets the jail do with a file, and how much of it. */
export const visitRulesOf = (
  profile: Profile,
): Pick<Visit, 'profileKind' | 'allowMime' | 'allowExtensions' | 'metadata' | 'svg' | 'limits'> => {
  const { kind, allowMime, allowExtensions, originals, svg, maxPixels, maxSidePixels, maxFrames, maxDurationSeconds } = profile
  return {
    ...{ profileKind: kind, allowMime, allowExtensions, metadata: originals.metadata, svg },
    limits: { maxPixels, maxSidePixels, maxFrames, maxDurationSeconds, gateTimeoutMs, timeoutMs: visitTimeoutMs },
  }
}
