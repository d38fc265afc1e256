import { bareExtension, canonicalType } from './content-type.ts'
import { recipeDigests } from './digest.ts'
import { RindleError } from './errors.ts'
import { usualPlayedLimits } from './played.ts'
import { type Profile, profileOf } from './profile.ts'
import type { ProfileOptions } from './profile-options.ts'
import { problemsOfProfile } from './profile-problems.ts'
import type { Recipes } from './recipe.ts'

/**
 * Says once what one kind of upload may be, what is made from it and who may see it. The names of its variants are part of its type.
 *
 * @throws RindleError `profile_invalid` with every problem at once.
 */
export const defineProfile = <const V extends Recipes = Record<never, never>>(options: ProfileOptions<V>): Profile<V> => {
  const problems = problemsOfProfile(options)
  if (problems.length > 0) throw new RindleError('profile_invalid', { problems })
  const recipes = options.variants ?? {}
  return profileOf<V>({
    kind: options.kind ?? 'media',
    storage: options.storage,
    allowMime: Object.freeze([...new Set(options.allowMime.map(canonicalType))]),
    allowExtensions: options.allowExtensions ? Object.freeze(options.allowExtensions.map(bareExtension)) : null,
    maxBytes: options.maxBytes,
    maxPixels: options.maxPixels ?? 64_000_000,
    maxSidePixels: options.maxSidePixels ?? 16_383,
    maxFrames: options.maxFrames ?? 300,
    maxDurationSeconds: options.maxDurationSeconds ?? usualPlayedLimits.maxDurationSeconds,
    maxStreams: options.maxStreams ?? usualPlayedLimits.maxStreams,
    maxFramesPerSecond: options.maxFramesPerSecond ?? usualPlayedLimits.maxFramesPerSecond,
    allowCodecs: options.allowCodecs ? Object.freeze([...options.allowCodecs]) : null,
    originals: Object.freeze({ metadata: options.originals?.metadata ?? (options.kind === 'file' ? 'keep' : 'strip-location') }),
    svg: options.svg ?? 'refuse',
    scanners: Object.freeze([...(options.scanners ?? [])]),
    analyzer: options.analyzer ?? null,
    processor: options.processor ?? null,
    variants: Object.freeze({ ...recipes }),
    digests: recipeDigests(recipes),
    delivery: Object.freeze({
      public: options.delivery?.public ?? false,
      signedUrlTtlSeconds: options.delivery?.signedUrlTtlSeconds ?? 900,
      authorizer: options.delivery?.authorizer ?? null,
    }),
    quarantine: Object.freeze({ keepSeconds: options.quarantine?.keepSeconds ?? 604_800 }),
    unattached: Object.freeze({ purgeAfterSeconds: options.unattached?.purgeAfterSeconds ?? null }),
  })
}
