import type { MetadataPolicy } from './metadata-policy.ts'
import type { Analyzer } from './ports/analyzer.ts'
import type { Authorizer } from './ports/authorizer.ts'
import type { Processor } from './ports/processor.ts'
import type { Scanner } from './ports/scanner.ts'
import type { StorageAdapter } from './ports/storage.ts'
import type { Recipes } from './recipe.ts'

/** What `defineProfile` takes. Only `storage`, `allowMime` and `maxBytes` are required. */
export interface ProfileOptions<V extends Recipes = Recipes> {
  /** `media` (the default) opens every file: pictures are decoded in full, of audio and video the beginning and the end; `file` only sniffs and hashes, makes no variants and always serves attachments. */
  readonly kind?: 'media' | 'file'
  /** Where new files go: `local(…)`, `memory()`, `s3(…)`. */
  readonly storage: StorageAdapter
  /** Every content type that is taken, each by name. */
  readonly allowMime: readonly string[]
  /** With or without the dot. Default: every extension of an allowed type. */
  readonly allowExtensions?: readonly string[]
  readonly maxBytes: number
  /** Width × height of one frame, of a picture or a film. Default 64,000,000. */
  readonly maxPixels?: number
  /** Default 16,383. */
  readonly maxSidePixels?: number
  /** Frames or pages of one picture. Default 300. */
  readonly maxFrames?: number
  /** Of audio and video; a longer one is refused with `max_duration_exceeded`. Default 7,200. */
  readonly maxDurationSeconds?: number
  /** Of pictures, sounds, titles and what phones note beside them, in one file of audio or video. Default 32, at most 1,000. */
  readonly maxStreams?: number
  /** Of a film, over its length and at its beginning. Default 1,000: phones store slow motion at up to 960. */
  readonly maxFramesPerSecond?: number
  /** Of audio and video, by the names that ffprobe has for them: `['h264', 'aac']`. Default: all that are decoded here. */
  readonly allowCodecs?: readonly string[]
  /** What of a file's own metadata is served with it. Default `strip-location`; `keep` with `kind: 'file'`, whose files are never rewritten. */
  readonly originals?: { readonly metadata?: MetadataPolicy }
  /** `rasterize` draws SVG in the jail, with nothing from outside of it; variants are pictures, the original is served as an attachment. Default `refuse`. */
  readonly svg?: 'refuse' | 'rasterize'
  /** The app's own, and `clamav()`: each has to find a file clean before it is served. */
  readonly scanners?: readonly Scanner[]
  /** The app's own: what it finds out is kept as `metadata.analysis`. */
  readonly analyzer?: Analyzer
  /** The app's own: makes the variants in place of the library. */
  readonly processor?: Processor
  /** What is made from every file, by name: `{ thumb: image({ width: 128 }) }`. */
  readonly variants?: V
  readonly delivery?: {
    /** Default false. True: URLs without a signature that anybody may cache for ever, also after a purge. */
    readonly public?: boolean
    /** How long a private URL lives, at most a week. Default 900. */
    readonly signedUrlTtlSeconds?: number
    /** Asked before any URL is made. */
    readonly authorizer?: Authorizer
  }
  /** How long refused bytes are kept for an operator to look at. Default a week. */
  readonly quarantine?: { readonly keepSeconds?: number }
  /** When assets that nobody attached go. Default null: never. */
  readonly unattached?: { readonly purgeAfterSeconds?: number | null }
}
