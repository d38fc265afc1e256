/** What a backend may do beyond holding objects. An adapter claims only what it can honour. */
export type StorageCapability =
  | 'presigned_put'
  | 'multipart_upload'
  | 'resumable_upload'
  | 'resumable_upload_session'
  | 'tus_upload'
  | 'signed_url'
  /** It cannot sign; this library's http door serves its objects by ticket. */
  | 'hosted'
  | 'create_only_put'
  | 'conditional_copy'

export interface ObjectHead {
  readonly sizeBytes: number
  /** Null when the backend does not keep one. */
  readonly contentType: string | null
  /** Changes whenever the bytes do. Opaque. */
  readonly etag: string
  /** The version that a versioned bucket gave it. */
  readonly version: string | null
}

export interface ObjectBody extends ObjectHead {
  /** The bytes asked for: the whole object, or the range. */
  readonly body: ReadableStream<Uint8Array>
}

export interface ListedObject {
  readonly key: string
  readonly sizeBytes: number
  readonly modifiedAt: Date
}

export interface SignedRequest {
  readonly url: string
  readonly method: 'PUT' | 'GET'
  /** The client must send exactly these. */
  readonly headers: Readonly<Record<string, string>>
  readonly expiresAt: Date
}

export interface CallOptions {
  readonly signal?: AbortSignal
}

/** Inclusive, as in an HTTP Range header. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

/**
 * Holds objects under keys. Keys arrive normalised by core/object-key.ts; an adapter never rewrites one, never retries a
 * write, and never replaces an object that is there.
 */
export interface StorageAdapter {
  /** Kind, bucket and prefix: what a row remembers, so that it can be found when profiles have moved on. */
  readonly id: string
  readonly capabilities: ReadonlySet<StorageCapability>

  /**
   * Creates the object at `key` from the stream, durably, or leaves nothing behind.
   *
   * @throws RindleError `object_exists` where `create_only_put` is claimed and something is there;
   * `object_size_mismatch` when the stream does not carry `sizeBytes` (when given).
   */
  put(
    key: string,
    body: ReadableStream<Uint8Array>,
    options: CallOptions & { readonly contentType: string; readonly sizeBytes?: number },
  ): Promise<ObjectHead>

  /** @returns null when nothing is at `key`. Absence is an answer, not an error. */
  head(key: string, options?: CallOptions): Promise<ObjectHead | null>

  /** @returns null when nothing is at `key`. @throws RindleError `object_range_invalid` when `range` lies beyond its end. */
  read(key: string, options?: CallOptions & { readonly range?: ByteRange }): Promise<ObjectBody | null>

  /** Copies server-side to a fresh key. @returns null when the source is gone, or differs from `ifMatch` where `conditional_copy` is claimed. */
  copy(from: string, to: string, options?: CallOptions & { readonly ifMatch?: string }): Promise<ObjectHead | null>

  /** Succeeds whether or not the object was there, and removes what an interrupted `put` of that key left. */
  delete(key: string, options?: CallOptions): Promise<void>

  /** Every object below `prefix`, in key order. */
  list(prefix: string, options?: CallOptions): AsyncIterable<ListedObject>

  /** Present exactly when `presigned_put` is claimed. Signs for the given instant, not for the machine's. */
  signPut?(
    key: string,
    options: {
      readonly at: Date
      readonly ttlSeconds: number
      readonly contentType: string
      readonly sizeBytes: number
      readonly sha256?: string
    },
  ): Promise<SignedRequest>

  /** Present exactly when `signed_url` is claimed. */
  signGet?(
    key: string,
    options: { readonly at: Date; readonly ttlSeconds: number; readonly contentType: string; readonly contentDisposition: string },
  ): Promise<SignedRequest>
}
