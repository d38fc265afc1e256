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
  /** Objects can be read by anybody at an address that is not signed. */
  | 'public_url'
  | 'create_only_put'
  /** `copy` makes sure of `ifMatch`. A store that may ignore it does not claim this, and is looked at again after the copy. */
  | 'conditional_copy'
  /** `copy` takes `patches`. */
  | 'patched_copy'

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

/** Bytes that stand in the place of others. */
export interface Patch {
  /** Where the first of them stands. */
  readonly start: number
  readonly bytes: Uint8Array
}

/** One part of a multipart upload, as the store lists it. */
export interface StoredPart {
  /** From 1. */
  readonly partNumber: number
  readonly sizeBytes: number
  readonly etag: string
}

export interface ListedMultipart {
  readonly key: string
  readonly uploadId: string
  readonly startedAt: Date
}

/** What one object made of parts may measure. */
export interface MultipartLimits {
  /** Of every part but the last. */
  readonly minPartBytes: number
  readonly maxPartBytes: number
  readonly maxParts: number
  readonly maxObjectBytes: number
}

/** Objects that come in parts, each by a request of its own, and appear under their key when the upload is completed. */
export interface MultipartStore {
  readonly limits: MultipartLimits

  /** Begins an upload to `key`. @returns its id. Sent once: a repeat would begin another. */
  create(key: string, options: CallOptions & { readonly contentType: string }): Promise<string>

  /** A ticket for one part of exactly `sizeBytes`. Signs for the given instant, not for the machine's. */
  signPart(
    key: string,
    options: {
      readonly uploadId: string
      readonly partNumber: number
      readonly sizeBytes: number
      readonly at: Date
      readonly ttlSeconds: number
    },
  ): Promise<SignedRequest>

  /** Every part that has arrived, by number. @returns null when there is no such upload: never, no longer, or completed. */
  listParts(key: string, uploadId: string, options?: CallOptions): Promise<readonly StoredPart[] | null>

  /**
   * Makes the object of exactly these parts. Repeating it is harmless.
   *
   * @returns false when there is no such upload any more: completed before, or aborted; whoever asks looks at the key.
   * @throws RindleError `object_parts_changed` when a part is no longer the one that was listed.
   */
  complete(key: string, uploadId: string, parts: readonly StoredPart[], options?: CallOptions): Promise<boolean>

  /** Throws the parts away. Succeeds when there is no such upload. A part that is still being sent may need another abort. */
  abort(key: string, uploadId: string, options?: CallOptions): Promise<void>

  /** Every upload below `prefix` that was begun and neither completed nor aborted. */
  list(prefix: string, options?: CallOptions): AsyncIterable<ListedMultipart>
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

  /**
   * Copies server-side to a fresh key; of a versioned source exactly `version`, when given.
   *
   * Where `patched_copy` is claimed, with `patches` (ascending, disjoint) in the place of the source's bytes; the length stays. Only what lies
   * around them travels, in some mebibytes: what is not much larger is better `put`, and that is for the caller to decide.
   *
   * @returns null when the source is gone, or differs from `ifMatch` where `conditional_copy` is claimed.
   * @throws RindleError `object_exists` as `put` does; `object_range_invalid` when a patch ends beyond the source
   */
  copy(
    from: string,
    to: string,
    options?: CallOptions & { readonly ifMatch?: string; readonly version?: string; readonly patches?: readonly Patch[] },
  ): Promise<ObjectHead | null>

  /** Succeeds whether or not the object was there. Removes every version of it, and what an interrupted `put` of that key left as a file. */
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

  /** Present exactly when `public_url` is claimed: the same for everybody and for ever. */
  publicUrl?(key: string): string

  /** Present exactly when `multipart_upload` is claimed. */
  readonly multipart?: MultipartStore

  /** The largest object that one PUT may carry. Absent: none is too large. */
  readonly maxPutBytes?: number
}
