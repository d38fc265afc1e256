import type { AssetKind } from '../asset.ts'
import type { ErrorCode, RindleError } from '../errors.ts'
import type { MetadataPolicy } from '../metadata-policy.ts'
import type { Played, PlayedLimits } from '../played.ts'
import type { Recipe } from '../recipe.ts'
import type { Span } from '../span.ts'
import type { VariantFacts } from '../variant-facts.ts'

/** What the header and the decode may cost before the gate says no. */
export interface DecodeLimits extends PlayedLimits {
  readonly maxPixels: number
  readonly maxSidePixels: number
  readonly maxFrames: number
  /** Wall clock of looking, rewriting and decoding: all that is done before a variant is made. */
  readonly gateTimeoutMs: number
  /** Wall clock of the whole visit. */
  readonly timeoutMs: number
}

/** What encoding films and sound may take. */
export interface EncodingLimits {
  /** Of CPU time, over all cores. */
  readonly cpuSeconds: number
  /** Of all files that are written. */
  readonly outputBytes: number
}

export interface VariantWish {
  readonly name: string
  readonly recipe: Recipe
}

/** What is known of a file of which only the beginning was put on disk. */
export interface Excerpt {
  /** Of the whole. */
  readonly sizeBytes: number
  /** True when all of it is UTF-8 without NUL. */
  readonly isText: boolean
  /** Reads from the whole, exactly as much as was asked for: `start` and `end` as in `subarray`. */
  readonly read: (start: number, end: number) => Promise<Uint8Array>
}

export interface Visit {
  /** The file to look at: private to this job, read by the child only. */
  readonly path: string
  /** Only where `profileKind` is `file`: `path` holds no more than the beginning, and what is recognised by more is read when it is needed. */
  readonly excerpt?: Excerpt
  /** An empty folder of this job's own; outputs are written into it, and the caller removes it. */
  readonly folder: string
  /**
   * `gate` sniffs, checks, rewrites and decodes in full; `build` trusts what the gate said and only makes variants; `measure` says what a
   * file is that the app's own code made.
   */
  readonly purpose: 'gate' | 'build' | 'measure'
  readonly profileKind: 'media' | 'file'
  readonly filename: string
  readonly allowMime: readonly string[]
  readonly allowExtensions: readonly string[] | null
  /** At the gate, for `media`: what is taken out of the file before it is decoded. */
  readonly metadata: MetadataPolicy
  /** Whether an SVG is drawn, without anything from outside of it, or refused. */
  readonly svg: 'refuse' | 'rasterize'
  readonly limits: DecodeLimits
  readonly variants: readonly VariantWish[]
  /** Where variants take long to encode: such a visit has a child of its own, and no other waits for it. */
  readonly encoding?: EncodingLimits
  /** Told from 0 to 1 how far variants of audio and video are, a few times a second. */
  readonly onProgress?: (fraction: number) => void
  readonly signal?: AbortSignal
}

/** The file without the metadata that is not to be served: the one that was decoded. */
export interface Rewritten {
  /** In the visit's folder. */
  readonly path: string
  readonly byteSize: number
  /**
   * Where it differs from what came, ascending and disjoint, at most `mostSpans`; null when lengths differ or it differs all over, so that
   * nothing of it is worth copying from there.
   */
  readonly changed: readonly Span[] | null
}

/** What was measured on the bytes themselves. */
export interface Facts extends Played {
  readonly kind: AssetKind
  readonly contentType: string
  /** Canonical for the content type, without the dot. */
  readonly extension: string
  /** As displayed, of a film as well: after the orientation. Null for what shows nothing. */
  readonly width: number | null
  readonly height: number | null
  readonly frames: number | null
  readonly hasAlpha: boolean | null
  /** ThumbHash, base64. */
  readonly placeholder: string | null
  readonly dominantColor: string | null
}

export type MadeVariant =
  | ({
      readonly name: string
      readonly ok: true
      readonly path: string
      readonly contentType: string
      readonly extension: string
      readonly byteSize: number
      /** Lower-case hex. */
      readonly sha256: string
    } & VariantFacts)
  | { readonly name: string; readonly ok: false; readonly code: ErrorCode; readonly message: string }

export type Verdict =
  | {
      readonly verdict: 'pass'
      readonly facts: Facts
      /** Null when nothing had to be taken out: what came is what is served. */
      readonly rewritten: Rewritten | null
      readonly variants: readonly MadeVariant[]
      /** CPU milliseconds of the child: for the gate alone and for everything. */
      readonly figures: { readonly gateCpuMs: number; readonly cpuMs: number }
    }
  /** A verdict on the bytes, never a fault: saying it again would give the same answer. */
  | { readonly verdict: 'refuse'; readonly code: ErrorCode; readonly message: string; readonly details: Readonly<Record<string, unknown>> }

/** One wall of the jail: whether it stands on this machine, and if not, what to do. */
export interface Wall {
  readonly name: 'sandbox' | 'memory' | 'limits' | 'loaders' | 'oom'
  readonly stands: boolean
  /** One sentence: what stands, or what is missing and how to get it. */
  readonly means: string
}

/** What decoders on this machine can do, each found by doing it. */
export interface JailReport {
  readonly walls: readonly Wall[]
  /** Versions by name: sharp, libvips, ffmpeg, ffprobe; null for what is not there. */
  readonly versions: Readonly<Record<string, string | null>>
  /** Why no picture is opened here whatever its type: what is missing, too old or does not start. Null or absent where pictures are opened. */
  readonly problem?: RindleError | null
  /** Canonical content types that were decoded, or probed, on the way here. */
  readonly decodes: readonly string[]
  /** What is too old or missing for a type that could be decoded here, by type: a sentence with the install line. */
  readonly missing: Readonly<Record<string, { readonly packageName: string; readonly install: string }>>
}

/** Sniffs, probes and decodes untrusted bytes where they can do no harm. */
export interface Jail {
  /**
   * @throws RindleError `decoder_killed` when the child died under it or ran out of time; `decoder_unavailable` when no child could
   * be had; what reading further of an excerpt throws; an AbortError when `signal` fires. Anything the bytes themselves are to blame for is a verdict.
   */
  visit(visit: Visit): Promise<Verdict>
  /** Starts children ahead of the first job, at most so many. @throws RindleError `jail_incomplete` when walls are required that do not stand */
  warm(children?: number): Promise<void>
  /**
   * Finds out, once per process, what stands, and by a sample of each which content types are decoded: all that have a sample, or those given
   * alone.
   *
   * @throws RindleError `decoder_unavailable`
   */
  report(contentTypes?: readonly string[]): Promise<JailReport>
  close(): Promise<void>
}
