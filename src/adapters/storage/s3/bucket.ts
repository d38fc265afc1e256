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

/** 5 GiB are documented by AWS; Cloudflare R2 takes so much less in one request, and as much less of GiB in one object. */
const requestBytes = 5 * gibibyte - 5 * mebibyte

/** What every service keeps that the guide names. */
export const usualSizes: Sizes = {
  putBytes: requestBytes,
  copyBytes: requestBytes,
  bufferBytes: 16 * mebibyte,
  partBytes: 64 * mebibyte,
  copyPartBytes: 256 * mebibyte,
  limits: {
    minPartBytes: 5 * mebibyte,
    maxPartBytes: requestBytes,
    maxParts: 10_000,
    maxObjectBytes: 5 * 1024 * gibibyte - 5 * gibibyte,
  },
}

/** A bucket, or the part of it below a prefix. */
export interface Bucket {
  readonly name: string
  readonly connection: Connection
  readonly sizes: Sizes
  /** Empty, or with a slash at its end. */
  readonly prefix: string
  /** True once a look was answered that told nothing against the bucket: what is missing then is the object. */
  answered: boolean
  /** False once a list of uploads was answered that did not say whether its names are encoded. */
  encodesUploads: boolean
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
    answered: false,
    encodesUploads: true,
    keyOf(key) {
      const whole = `${prefix}${key}`
      if (whole.length * 3 > maxKeyBytes && Buffer.byteLength(whole) > maxKeyBytes)
        throw new RindleError('object_key_invalid', { problem: `with the storage's prefix it is longer than ${maxKeyBytes} bytes` })
      return whole
    },
  }
}
