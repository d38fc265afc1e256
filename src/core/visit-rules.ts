import type { EncodingLimits, VariantWish, Visit } from './ports/jail.ts'
import type { Profile } from './profile.ts'
import type { Recipe } from './recipe.ts'

/** So long a file may be looked at, rewritten and decoded: a photo of 48 megapixels takes up to five seconds. */
const gateTimeoutMs = 11_000
/** So long a visit may take with its variants, which may be slow to encode. */
const visitTimeoutMs = 120_000

/** An hour that takes an hour, on a machine that does so much else, is still being made; a poster never is. */
const encodingSecondsPerSecond = 30
const leastEncodingSeconds = 600
/** Timers that are to ring later ring at once. */
const longestTimerMs = 2 ** 31 - 1
const bytesPerKilobit = 125
/** For what a container adds, and for moments at which a film takes more than its limit. */
const slack = 1.25
/** Sound and sprites besides what a film's own limit of bits lets it have. */
const besidesBytes = 64 * 1024 * 1024

/**
 * What may be spent on variants of a file of such a length: the wall clock of the visit, the CPU time and the bytes. Nothing honest comes near it;
 * what does is ended.
 */
export const encodingRulesOf = (
  durationMs: number | null,
  wishes: readonly VariantWish[],
): { readonly timeoutMs: number; readonly encoding: EncodingLimits } => {
  const seconds = (durationMs ?? 0) / 1000
  const wallSeconds = leastEncodingSeconds + seconds * encodingSecondsPerSecond
  const kilobits = wishes.reduce((sum, { recipe }) => sum + kilobitsOf(recipe), 0)
  const outputBytes = Math.ceil(seconds * kilobits * bytesPerKilobit * slack) + besidesBytes
  return {
    timeoutMs: Math.min(longestTimerMs, Math.ceil(wallSeconds * 1000)),
    encoding: { cpuSeconds: Math.ceil(wallSeconds * 4), outputBytes },
  }
}

const kilobitsOf = (recipe: Recipe): number => {
  if (recipe.kind === 'video') return recipe.maxBitrateKbps + recipe.audioBitrateKbps
  return recipe.kind === 'audio' ? recipe.bitrateKbps : 0
}

/** What a profile lets the jail do with a file, and how much of it. */
export const visitRulesOf = (
  profile: Profile,
): Pick<Visit, 'profileKind' | 'allowMime' | 'allowExtensions' | 'metadata' | 'svg' | 'limits'> => {
  const { kind, allowMime, allowExtensions, originals, svg, maxPixels, maxSidePixels, maxFrames } = profile
  const { maxDurationSeconds, maxStreams, maxFramesPerSecond, allowCodecs } = profile
  return {
    ...{ profileKind: kind, allowMime, allowExtensions, metadata: originals.metadata, svg },
    limits: {
      ...{ maxPixels, maxSidePixels, maxFrames, maxDurationSeconds, maxStreams, maxFramesPerSecond, allowCodecs },
      ...{ gateTimeoutMs, timeoutMs: visitTimeoutMs },
    },
  }
}
