import { randomBytes } from 'node:crypto'
import {
  AbortMultipartUploadCommand,
  type CORSRule,
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectsCommand,
  ListMultipartUploadsCommand,
  ListObjectVersionsCommand,
  PutBucketCorsCommand,
  PutBucketVersioningCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { type GatewayAccess, gatewayIsMissing, hasGateway, sharedGatewayVariable, startGateway } from '../../scripts/gateway.ts'

/** The `skip` of what needs the gateway: false where there is one, else the reason. With CI=true a skipped case has failed. */
export const skipWithoutGateway: string | false = hasGateway() ? false : gatewayIsMissing

export type TestBucket = GatewayAccess & {
  readonly bucket: string
  /** For looking into the bucket past whatever is tested. Ends with `close()`. */
  readonly client: S3Client
  /** Removes the bucket with every object, version and unfinished upload in it. */
  close(): Promise<void>
}

export type BucketOptions = {
  /** Keep a version of whatever is overwritten or deleted. */
  readonly versioned?: boolean
  readonly cors?: readonly CORSRule[]
}

let ownGateway: Promise<GatewayAccess> | undefined

/**
 * Makes an empty bucket on the gateway of the whole run when there is one, else on one that ends with this process.
 * All buckets of a gateway share its memory of 4 GiB: what needs more starts its own with `startGateway({ bytes })`.
 */
export async function openBucket(options: BucketOptions = {}, gateway?: GatewayAccess): Promise<TestBucket> {
  const access = gateway ?? (await sharedGateway())
  const client = new S3Client({
    endpoint: access.endpoint,
    region: access.region,
    credentials: access.credentials,
    forcePathStyle: true,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  })
  const bucket = `rindle-${randomBytes(8).toString('hex')}`
  await client.send(new CreateBucketCommand({ Bucket: bucket }))
  if (options.versioned) {
    await client.send(new PutBucketVersioningCommand({ Bucket: bucket, VersioningConfiguration: { Status: 'Enabled' } }))
  }
  if (options.cors) {
    await client.send(new PutBucketCorsCommand({ Bucket: bucket, CORSConfiguration: { CORSRules: [...options.cors] } }))
  }
  return { ...access, bucket, client, close: () => removeBucket(client, bucket) }
}

async function sharedGateway(): Promise<GatewayAccess> {
  const shared = process.env[sharedGatewayVariable]
  if (shared) return JSON.parse(shared)
  return (ownGateway ??= startGateway())
}

async function removeBucket(client: S3Client, bucket: string): Promise<void> {
  await abortUploads(client, bucket)
  await deleteObjects(client, bucket)
  await client.send(new DeleteBucketCommand({ Bucket: bucket }))
  client.destroy()
}

async function abortUploads(client: S3Client, bucket: string): Promise<void> {
  for (let rest = true; rest;) {
    const { Uploads = [], IsTruncated } = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }))
    for (const { Key, UploadId } of Uploads) await client.send(new AbortMultipartUploadCommand({ Bucket: bucket, Key, UploadId }))
    rest = IsTruncated === true
  }
}

async function deleteObjects(client: S3Client, bucket: string): Promise<void> {
  for (let rest = true; rest;) {
    const { Versions = [], DeleteMarkers = [], IsTruncated } = await client.send(new ListObjectVersionsCommand({ Bucket: bucket }))
    const Objects = [...Versions, ...DeleteMarkers].map(({ Key, VersionId }) => ({ Key, VersionId }))
    if (Objects.length > 0) await client.send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects, Quiet: true } }))
    rest = IsTruncated === true
  }
}
