import { ListMultipartUploadsCommand, ListObjectsV2Command, ListPartsCommand } from '@aws-sdk/client-s3'
import { s3 } from '../../src/adapters/storage/s3.ts'
import { contextOf, type RindleContext } from '../../src/context.ts'
import { image } from '../../src/core/image-recipe.ts'
import { defineProfile } from '../../src/core/profile-definition.ts'
import { deleteObject } from '../../src/flows/assets/delete-object.ts'
import { createTestRindle } from '../../src/rindle.ts'
import { createSettableClock, type SettableClock } from '../../src/testing/clock.ts'
import { type EngineDatabase, engines } from '../../test/services/engines.ts'
import { openBucket, type TestBucket } from '../../test/services/bucket.ts'
import { rowReader } from '../rows.ts'

/** An app that keeps its files in a real bucket, and a clock that signs for whatever time it is set to. */
export interface BucketHouse {
  readonly rindle: ReturnType<typeof rindleOn>
  readonly ctx: RindleContext
  readonly clock: SettableClock
  readonly bucket: TestBucket
  /** Everything that is in the bucket, and every row, as text that can be compared. */
  snapshot(): Promise<string>
  /** Deletes what is doomed, also what would be left alone for an hour. */
  tidy(): Promise<void>
  /** Removes every row and every object. */
  empty(): Promise<void>
  close(): Promise<void>
}

const rindleOn = (database: EngineDatabase, bucket: TestBucket, { clock, folder }: { clock: SettableClock; folder: string }) => {
  const { endpoint, region, credentials } = bucket
  const storage = s3({ bucket: bucket.bucket, endpoint, region, credentials, service: 'ceph' })
  return createTestRindle(
    {
      database: database.given,
      profiles: {
        photo: defineProfile({
          storage,
          allowMime: ['image/png'],
          maxBytes: 100_000,
          variants: { thumb: image({ width: 8, format: 'webp' }) },
        }),
      },
      secrets: ['a secret of the proof that is long enough'],
      scratchFolder: folder,
    },
    { clock, databaseClock: clock.database },
  )
}

export const openBucketHouse = async (folder: string): Promise<BucketHouse> => {
  const engine = engines.find(({ name }) => name === 'pglite')
  if (!engine) throw new Error('PGlite is needed')
  const [bucket, database] = await Promise.all([openBucket(), engine.open()])
  const clock = createSettableClock(new Date())
  const rindle = rindleOn(database, bucket, { clock, folder })
  await rindle.ready()
  const ctx = contextOf(rindle)
  const rows = await rowReader(database, ['rindle'])
  return {
    ...{ rindle, ctx, clock, bucket },
    snapshot: async () => (await Promise.all([contentsOf(bucket), rows()])).join('\n\n'),
    async tidy() {
      const doomed = await database.query("select id from rindle.media_objects where state = 'doomed'")
      for (const { id } of doomed) await deleteObject(ctx, String(id))
    },
    async empty() {
      await database.empty()
      const adapter = rindle.storageAdapterFor('photo')
      for await (const { key, uploadId } of adapter.multipart?.list('') ?? []) await adapter.multipart?.abort(key, uploadId)
      for await (const { key } of adapter.list('')) await adapter.delete(key)
    },
    async close() {
      await rindle.close()
      await database.close()
      await bucket.close()
    },
  }
}

/** Past the adapter: objects with their sizes, etags and times, unfinished uploads, and their parts. */
const contentsOf = async ({ client, bucket: Bucket }: TestBucket): Promise<string> => {
  const [objects, uploads] = await Promise.all([
    client.send(new ListObjectsV2Command({ Bucket })),
    client.send(new ListMultipartUploadsCommand({ Bucket })),
  ])
  if (objects.IsTruncated || uploads.IsTruncated) throw new Error('there is more in the bucket than one page shows')
  const parts = await Promise.all(
    (uploads.Uploads ?? []).map(async ({ Key, UploadId }) => {
      const { Parts = [] } = await client.send(new ListPartsCommand({ Bucket, Key, UploadId }))
      return [Key, UploadId, ...Parts.map(({ PartNumber, ETag, Size, LastModified }) => [PartNumber, ETag, Size, LastModified])]
    }),
  )
  const listed = (objects.Contents ?? []).map(({ Key, Size, ETag, LastModified }) => [Key, Size, ETag, LastModified])
  return JSON.stringify([listed, parts])
}
