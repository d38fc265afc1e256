import type { AssetKind, AssetState } from '../core/asset.ts'
import type { ErrorCode } from '../core/errors.ts'
import type { UploadSessionState, UploadStrategy } from '../core/upload-session.ts'
import type { VariantState } from '../core/variant.ts'

/** Body of POST /uploads. */
export interface UploadRequest {
  readonly profile: string
  readonly filename: string
  readonly byteSize: number
  /** Default: what the file name's extension means. */
  readonly contentType?: string
  /** Lower-case hex of the whole file; the upload is then bound to it. */
  readonly sha256?: string
  /** Asking again with the same key gives the first session. Taken only where the actor is an owner, `{ type, id }`. */
  readonly idempotencyKey?: string
  /** True: the file comes in parts, each with a ticket of its own. */
  readonly multipart?: boolean
  /** How many bytes each part but the last has; with `multipart` alone. Default: the server's choice. */
  readonly partBytes?: number
}

/** Answer of POST /uploads. */
export interface CreatedUploadAnswer {
  readonly session: SessionAnswer
  /** How the file is to be cut; there only when it comes in parts. Every part has `partBytes` but the last, which has what is left. */
  readonly multipart?: { readonly partBytes: number; readonly partCount: number }
}

/** Answer of POST /uploads/:id/sign and of POST /uploads/:id/parts/:n/sign. */
export interface SignedUploadAnswer {
  readonly session: SessionAnswer
  readonly presigned: PresignedAnswer
}

/** Body of POST /uploads/:id/complete, all of which may be left out: what storage holds decides. */
export interface CompleteRequest {
  readonly parts?: readonly { readonly partNumber: number; readonly etag: string }[]
}

/** Answer of POST /uploads/:id/verify and of POST /uploads/:id/complete. */
export interface VerifiedUploadAnswer {
  readonly session: SessionAnswer
  readonly asset: AssetAnswer
}

export interface SessionAnswer {
  readonly id: string
  readonly assetId: string
  readonly profile: string
  readonly state: UploadSessionState
  readonly uploadStrategy: UploadStrategy
  readonly byteSize: number | null
  /** What every part but the last has; null when the file does not come in parts. */
  readonly partBytes: number | null
  readonly contentType: string
  readonly expiresAt: string
}

/** What the client sends its bytes with: exactly this method, these headers. */
export interface PresignedAnswer {
  readonly url: string
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly expiresAt: string
}

/** Answer of GET /assets/:id. Every `url` is null while it may not be served. */
export interface AssetAnswer {
  readonly id: string
  readonly profile: string
  readonly state: AssetState
  readonly kind: AssetKind | null
  /** What the client declared until the gate has looked, then what the bytes are. */
  readonly contentType: string
  /** Pixels as displayed. */
  readonly width: number | null
  readonly height: number | null
  readonly durationMs: number | null
  /** ThumbHash, base64. */
  readonly placeholder: string | null
  /** Why it is held back. What of it could not be made says why itself, in `variants`. */
  readonly error: { readonly code: string; readonly message: string } | null
  readonly url: string | null
  readonly variants: Readonly<Record<string, VariantAnswer>>
}

export interface VariantAnswer {
  readonly state: VariantState
  /** 0 to 100. */
  readonly progress: number
  /** Null until it was made. */
  readonly contentType: string | null
  readonly width: number | null
  readonly height: number | null
  readonly durationMs: number | null
  /** Why it failed or was cancelled. */
  readonly error: { readonly code: string; readonly message: string } | null
  readonly url: string | null
  /** Where the WebVTT of a strip of thumbnails is; null for what is no strip. */
  readonly trackUrl: string | null
}

/** Answer of every refused request. */
export interface ErrorAnswer {
  readonly error: {
    readonly code: ErrorCode
    readonly message: string
    readonly details: Readonly<Record<string, unknown>>
    /** True when the same request may succeed later. */
    readonly retryable: boolean
  }
}
