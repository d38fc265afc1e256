import type { StorageAdapter } from '../../core/ports/storage.ts'
import { adapterOf } from './s3/adapter.ts'
import { bucketOf, usualSizes } from './s3/bucket.ts'
import { connectionTo } from './s3/connection.ts'
import { type S3Options, settingsOf } from './s3/options.ts'

export type { S3Credentials, S3Options, S3Service, S3Timeouts } from './s3/options.ts'

/**
 * Holds objects in a bucket of AWS S3, or of a server that speaks its protocol. Nothing is asked of it before the first call, which loads
 * the optional peer @aws-sdk/client-s3.
 *
 * What a repeat could harm is sent once: put, copy, and the beginning of a multipart upload. All else is asked up to three times. A
 * copy always carries its condition; `conditional_copy` is claimed only where the server makes sure of it.
 *
 * @throws RindleError `argument_invalid`. Calls throw `peer_missing`, `storage_refused` when somebody has to look after bucket, credentials,
 * region or clock first, else `storage_failed`
 */
export const s3 = (options: S3Options): StorageAdapter => adapterOf(bucketOf(connectionTo(settingsOf(options)), usualSizes))
