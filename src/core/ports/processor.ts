import type { AssetKind } from '../asset.ts'
import type { ErrorCode } from '../errors.ts'
import type { Recipe } from '../recipe.ts'

/** What the header and the decode may cost before the gate says no. */
export interface DecodeLimits {
  readonly maxPixels: number
  readonly maxSidePixels: number
  readonly maxFrames: number
  /** Wall clock of the whole visit. */
  readonly timeoutMs: number
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
  /** `gate` sniffs, checks and decodes in full; `build` trusts what the gate said and only makes variants. */
  readonly purpose: 'gate' | 'build'
  readonly profileKind: 'media' | 'file'
  readonly filename: string
  readonly allowMime: readonly string[]
  readonly allowExtensions: readonly string[] | null
  readonly limits: DecodeLimits
  readonly variants: readonly VariantWish[]
  readonly signal?: AbortSignal
}

/** What was measured on the bytes themselves. */
export interface Facts {
  readonly kind: AssetKind
  readonly contentType: string
  /** Canonical for the content type, without the dot. */
  readonly extension: string
  /** As displayed, after the orientation. Null for what is not a picture. */
  readonly width: number | null
  readonly height: number | null
  readonly frames: number | null
  readonly hasAlpha: boolean | null
  /** ThumbHash, base64. */
  readonly placeholder: string | null
  readonly dominantColor: string | null
}

export type MadeVariant =
  | {
      readonly name: string
      readonly ok: true
      readonly path: string
      readonly contentType: string
      readonly extension: string
      readonly width: number
      readonly height: number
      readonly byteSize: number
      /** Lower-case hex. */
      readonly sha256: string
    }
  | { readonly name: string; readonly ok: false; readonly code: ErrorCode; readonly message: string }

export type Verdict =
  | {
      readonly verdict: 'pass'
      readonly facts: Facts
      readonly variants: readonly MadeVariant[]
      /** CPU milliseconds of the child: for the gate alone and for everything. */
      readonly figures: { readonly gateCpuMs: number; readonly cpuMs: number }
    }
  /** A verdict on the bytes, never a fault: saying it again would give the same answer. */
  | { readonly verdict: 'refuse'; readonly code: ErrorCode; readonly message: string; readonly details: Readonly<Record<string, unknown>> }

/** Sniffs, probes and decodes untrusted bytes where they can do no harm. */
export interface Processor {
  /**
   * @throws RindleError `decoder_killed` when the child died under it or ran out of time; `decoder_unavailable` when no child could
   * be had; what reading further of an excerpt throws; an AbortError when `signal` fires. Anything the bytes themselves are to blame for is a verdict.
   */
  visit(visit: Visit): Promise<Verdict>
  /** Starts children ahead of the first job. */
  warm(): Promise<void>
  close(): Promise<void>
}
