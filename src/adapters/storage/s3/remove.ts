import type { StorageAdapter } from '../../../core/ports/storage.ts'
import type { Bucket } from './bucket.ts'
import type { Connected } from './connection.ts'
import { decoded } from './listing.ts'
import { inTime, nullWhenMissing } from './head.ts'

/**
 * DELETE. Where the answer tells that the bucket keeps versions, every version and every marker of that key goes too, the marker that
 * this delete has just left among them.
 */
export const deleteObject =
  (bucket: Bucket): StorageAdapter['delete'] =>
  (key, { signal } = {}) =>
    bucket.connection.call('delete', signal, async (connected) => {
      const { sdk, patient } = connected
      const whole = bucket.keyOf(key)
      const remove = new sdk.DeleteObjectCommand({ Bucket: bucket.name, Key: whole })
      const answer = await patient.send(remove, inTime(bucket, signal)).catch(nullWhenMissing)
      if (answer?.VersionId === undefined && !answer?.DeleteMarker) return
      for await (const version of versionsOf({ bucket, connected }, whole, signal)) {
        const forget = new sdk.DeleteObjectCommand({ Bucket: bucket.name, Key: whole, VersionId: version })
        await patient.send(forget, inTime(bucket, signal)).catch(nullWhenMissing)
      }
    })

/** Versions and markers of exactly this key. Those of keys that go on after it are listed too, and later. */
async function* versionsOf(
  { bucket, connected: { sdk, patient } }: { readonly bucket: Bucket; readonly connected: Connected },
  key: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<string> {
  let from: { KeyMarker?: string | undefined; VersionIdMarker?: string | undefined } = {}
  for (;;) {
    const list = new sdk.ListObjectVersionsCommand({ Bucket: bucket.name, Prefix: key, EncodingType: 'url', ...from })
    const page = await patient.send(list, inTime(bucket, signal))
    const keyOf = (listed: string | undefined): string => decoded(listed ?? '', page.EncodingType)
    const entries = [...(page.Versions ?? []), ...(page.DeleteMarkers ?? [])]
    for (const { Key, VersionId } of entries) if (VersionId !== undefined && keyOf(Key) === key) yield VersionId
    if (!page.IsTruncated || keyOf(page.NextKeyMarker) !== key) return
    from = { KeyMarker: key, VersionIdMarker: page.NextVersionIdMarker }
  }
}
