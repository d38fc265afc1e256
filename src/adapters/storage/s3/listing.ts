import type { StorageAdapter } from '../../../core/ports/storage.ts'
import type { Bucket } from './bucket.ts'
import { inTime } from './head.ts'

/**
 * A name as a list gives it: encoded where that was asked for and is said to be so, since not every name can stand in XML. One that cannot be
 * decoded stays as it is, so that it does not keep a list from its end.
 */
export const decoded = (name: string, encodingType: string | undefined): string => {
  if (encodingType !== 'url') return name
  try {
    return decodeURIComponent(name.replaceAll('+', ' '))
  } catch {
    return name
  }
}

/** What a list gives no time for counts as too young for anybody to take away. */
export const youngest = new Date(8_640_000_000_000_000)

/** A page takes longer than one object. */
export const pageTimes = 2

/** Page by page, for as long as somebody takes: what is written or removed meanwhile may be there or not. */
export const listObjects = (bucket: Bucket): StorageAdapter['list'] =>
  async function* (prefix, { signal } = {}) {
    let token: string | undefined
    do {
      const page = await bucket.connection.call('list', signal, ({ sdk, patient }) =>
        patient.send(
          new sdk.ListObjectsV2Command({
            Bucket: bucket.name,
            Prefix: `${bucket.prefix}${prefix}`,
            EncodingType: 'url',
            ContinuationToken: token,
          }),
          inTime(bucket, signal, pageTimes),
        ),
      )
      for (const { Key, Size, LastModified } of page.Contents ?? []) {
        signal?.throwIfAborted()
        const key = decoded(Key ?? '', page.EncodingType)
        yield { key: key.slice(bucket.prefix.length), sizeBytes: Size ?? 0, modifiedAt: LastModified ?? youngest }
      }
      token = page.IsTruncated ? page.NextContinuationToken : undefined
    } while (token !== undefined)
  }
