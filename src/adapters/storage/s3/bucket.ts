import { RindleError } from '../../../core/errors.ts'
import type { MultipartLimits } from '../../../core/ports/storage.ts'
import type { Connection } from './connection.ts'

const mebibyte = 1024 * 1024
const gibibyte = 1024 * mebibyte
const maxKeyBytes = 1024

/** How much goes at once. */
export interface Sizes {
  /** By one PUT. */
  readonly putBytes: number
  /** By one copy. */
  readonly copyBytes: number
  /** In each part of a body whose length nobody announced; held in memory. */
  readonly bufferBytes: number
  /** In each part of a body that is announced. */
  readonly partBytes: number
  /** In each part of a copy. */
  readonly copyPartBytes: number
  readonly limits: MultipartLimits
}

/** What AWS documents, and others keep as well. */
export const usualSizes: Sizes = {
  putBytes: 5 * gibibyte,
  copyBytes: 5 * gibibyte,
  bufferBytes: 16 * mebibyte,
  partBytes: 64 * mebibyte,
  copyPartBytes: 256 * mebibyte,
  limits: { minPartBytes: 5 * mebibyte, maxPartBytes: 5 * gibibyte, maxParts: 10_000, maxObjectBytes: 5 * 1024 * gibibyte },
}

/** A bucket, or the part of it below a prefix. */
export interface Bucket {
  readonly name: string
  readonly connection: Connection
  readonly sizes: Sizes
  /** Empty, or with a slash at its end. */
  readonly prefix: string
  /** True once something was found in it. */
  seen: boolean
  /** The key as the bucket knows it. @throws RindleError `object_key_invalid` when the prefix makes it too long */
  keyOf(key: string): string
}

export const bucketOf = (connection: Connection, sizes: Sizes): Bucket => {
  const { bucket, prefix } = connection.settings
  return {
    name: bucket,
    connection,
    sizes,
    prefix,
    seen: false,
    keyOf(key) {
      const whole = `${prefix}${key}`
      if (whole.length * 3 > maxKeyBytes && Buffer.byteLength(whole) > maxKeyBytes)
        throw new RindleError('object_key_invalid', { problem: `with the storage's prefix it is longer than ${maxKeyBytes} bytes` })
      return whole
    },
  }
}
