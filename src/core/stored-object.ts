import { canonicalType, contentTypeOf, extensionIn } from './content-type.ts'

/** What lies below a key, as the app is told. */
export interface StoredObject {
  readonly key: string
  readonly byteSize: number
  readonly contentType: string
  readonly etag: string
}

/** The type that was given; else what the key's extension stands for, else `application/octet-stream`. */
export const typeForKey = (key: string, given: string | undefined): string =>
  given === undefined ? (contentTypeOf(extensionIn(key) ?? '') ?? 'application/octet-stream') : canonicalType(given)
