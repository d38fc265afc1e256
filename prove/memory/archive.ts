import { createRindle, defineProfile } from 'rindle'
import { s3 } from 'rindle/storage/s3'

/** What both processes of an app have to know. */
export interface ArchiveTask {
  readonly url: string
  readonly bucket: string
  readonly endpoint: string
  readonly region: string
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string }
  readonly scratchFolder: string
}

/** An app that takes large files straight into its bucket. */
export const openArchive = ({ url, scratchFolder, ...place }: ArchiveTask) =>
  createRindle({
    profiles: {
      archive: defineProfile({ kind: 'file', storage: s3(place), allowMime: ['application/pdf'], maxBytes: 10_000_000_000 }),
    },
    database: url,
    secrets: ['the memory proof keeps no secret worth the name'],
    scratchFolder,
  })
