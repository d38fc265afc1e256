import type { StorageAdapter } from '../../../core/ports/storage.ts'
import { encodeKey, publicBaseOf } from './address.ts'
import type { Bucket } from './bucket.ts'
import { copyObject } from './copy.ts'
import { headObject } from './head.ts'
import { listObjects } from './listing.ts'
import { multipartOf } from './parts.ts'
import { putObject } from './put.ts'
import { readObject } from './read.ts'
import { deleteObject } from './remove.ts'
import { ticketsOf } from './tickets.ts'

/** The adapter over a bucket whose sizes somebody else decides: tests, which cannot move 5 GiB. */
export const adapterOf = (bucket: Bucket): StorageAdapter => {
  const { settings } = bucket.connection
  const sign = ticketsOf(bucket)
  const publicBase = publicBaseOf(settings)
  return {
    id: settings.id,
    capabilities: new Set([
      ...(['presigned_put', 'multipart_upload', 'signed_url', 'public_url', 'create_only_put', 'patched_copy'] as const),
      ...(settings.conditionalCopy ? (['conditional_copy'] as const) : []),
    ]),
    maxPutBytes: bucket.sizes.putBytes,

    put: putObject(bucket),
    head: headObject(bucket),
    read: readObject(bucket),
    copy: copyObject(bucket),
    delete: deleteObject(bucket),
    list: listObjects(bucket),
    multipart: multipartOf(bucket, sign),

    /**
     * Binds length, type and create-only, and the SHA-256 where it is known. AWS S3 and MinIO document that they refuse other bytes then;
     * Ceph's gateway 16 takes no notice, so that there the gate is the first to look.
     */
    signPut: (key, { at, ttlSeconds, contentType, sizeBytes, sha256 }) =>
      sign(key, {
        method: 'PUT',
        at,
        ttlSeconds,
        query: { 'x-id': 'PutObject' },
        headers: {
          'content-length': String(sizeBytes),
          'content-type': contentType,
          'if-none-match': '*',
          ...(sha256 === undefined ? {} : { 'x-amz-checksum-sha256': Buffer.from(sha256, 'hex').toString('base64') }),
        },
      }),

    signGet: (key, { at, ttlSeconds, contentType, contentDisposition }) =>
      sign(key, {
        method: 'GET',
        at,
        ttlSeconds,
        query: { 'response-content-disposition': contentDisposition, 'response-content-type': contentType, 'x-id': 'GetObject' },
        headers: {},
      }),

    publicUrl: (key) => `${publicBase}/${encodeKey(bucket.keyOf(key))}`,
  }
}
