import { CreateBucketCommand, PutBucketCorsCommand, S3Client, type S3ClientConfig } from '@aws-sdk/client-s3'
import type { StorageAdapter } from 'rindle'
import { type S3Credentials, s3, type S3Service } from 'rindle/storage/s3'

/** The bucket that the environment names, or null. Credentials are found as the AWS SDK finds them. @throws RindleError `argument_invalid` */
export function bucketOfEnvironment(env: Readonly<Record<string, string | undefined>>): StorageAdapter | null {
  const { S3_BUCKET: bucket, S3_ENDPOINT: endpoint, S3_PREFIX: prefix = 'cohort', AWS_REGION: region = '', S3_SERVICE } = env
  return bucket
    ? s3({ bucket, region, prefix, ...(endpoint ? { endpoint } : {}), ...(S3_SERVICE ? { service: S3_SERVICE as S3Service } : {}) })
    : null
}

/** A server for trying things out, whose buckets nobody else uses. */
export interface TrialServer {
  readonly endpoint: string
  readonly region: string
  readonly credentials: S3Credentials
}

/** Makes a bucket there, unless it is there already, and lets pages of the origins send to it. */
export async function trialBucket(server: TrialServer, bucket: string, origins: readonly string[]): Promise<StorageAdapter> {
  const { endpoint, region, credentials } = server
  const config: S3ClientConfig = { endpoint, region, credentials, forcePathStyle: true, requestChecksumCalculation: 'WHEN_REQUIRED' }
  const client = new S3Client(config)
  await client.send(new CreateBucketCommand({ Bucket: bucket }))
  await client.send(new PutBucketCorsCommand({ Bucket: bucket, CORSConfiguration: { CORSRules: [corsFor(origins)] } }))
  client.destroy()
  return s3({ endpoint, region, credentials, bucket, service: 'ceph' })
}

const corsFor = (origins: readonly string[]) => ({
  AllowedOrigins: [...origins],
  AllowedMethods: ['PUT'],
  AllowedHeaders: ['content-type', 'if-none-match'],
  MaxAgeSeconds: 3600,
})
