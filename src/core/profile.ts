import type { MetadataPolicy } from './metadata-policy.ts'
import type { PlayedLimits } from './played.ts'
import type { Analyzer } from './ports/analyzer.ts'
import type { Authorizer } from './ports/authorizer.ts'
import type { Processor } from './ports/processor.ts'
import type { Scanner } from './ports/scanner.ts'
import type { StorageAdapter } from './ports/storage.ts'
import type { Recipes } from './recipe.ts'

/** How files of a profile reach people. */
export interface DeliveryPolicy {
  /** True: unsigned, cacheable URLs for everyone. */
  readonly public: boolean
  /** How long a signed URL lives. */
  readonly signedUrlTtlSeconds: number
  readonly authorizer: Authorizer | null
}

/** What one kind of upload may be, what is made from it and who may see it; every default filled in. */
export interface Profile<V extends Recipes = Recipes> extends PlayedLimits {
  /** `media` is decoded, pictures in full; `file` is only sniffed and hashed, has no variants, and is always served as an attachment. */
  readonly kind: 'media' | 'file'
  readonly storage: StorageAdapter
  readonly allowMime: readonly string[]
  /** Without the dot, lower case. Null: every extension of an allowed type. */
  readonly allowExtensions: readonly string[] | null
  readonly maxBytes: number
  readonly maxPixels: number
  readonly maxSidePixels: number
  readonly maxFrames: number
  /** What of a file's own metadata is served with it. */
  readonly originals: { readonly metadata: MetadataPolicy }
  readonly svg: 'refuse' | 'rasterize'
  /** Asked in this order; the first that finds something ends it. */
  readonly scanners: readonly Scanner[]
  readonly analyzer: Analyzer | null
  /** Null: the library makes the variants. */
  readonly processor: Processor | null
  readonly variants: V
  /** Lower-case hex SHA-256 of each variant's canonical recipe. */
  readonly digests: Readonly<Record<keyof V & string, string>>
  readonly delivery: DeliveryPolicy
  readonly quarantine: { readonly keepSeconds: number }
  /** Null: assets that were never attached stay. */
  readonly unattached: { readonly purgeAfterSeconds: number | null }
}

export type Profiles = Readonly<Record<string, Profile>>

export interface Slot<P extends string = string> {
  readonly profile: P
  readonly many: boolean
}

export type Slots = Readonly<Record<string, Slot>>

/** Every field a profile has, its variants not yet known by name. */
type UnnamedProfile = Omit<Profile, 'variants' | 'digests'> & {
  readonly variants: Recipes
  readonly digests: Readonly<Record<string, string>>
}

/** Gives a checked profile the type that its definition was written with. */
export const profileOf = <V extends Recipes>(checked: UnnamedProfile): Profile<V> => Object.freeze(checked) as unknown as Profile<V>

/**
 * Gives the functions of one app the types of its own profiles, variants and slots. Flows know names as text and check them when
 * called; this is the only place where text becomes a name.
 */
export const named = <T>(unnamed: object): T => unnamed as T
