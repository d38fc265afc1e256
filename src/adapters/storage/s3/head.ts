import { RindleError } from '../../../core/errors.ts'
import { bareEtag } from '../../../core/etag.ts'
import type { ObjectHead, StorageAdapter } from '../../../core/ports/storage.ts'
import type { Bucket } from './bucket.ts'
import type { Connected } from './connection.ts'
import { answerOf, bucketMissing, isMissing } from './failure.ts'

/** What answers about an object have in common. */
interface ObjectAnswer {
  readonly ContentLength?: number | undefined
  readonly ContentType?: string | undefined
  readonly ETag?: string | undefined
  readonly VersionId?: string | undefined
}

export const headOf = ({ ContentLength, ContentType, ETag, VersionId }: ObjectAnswer): ObjectHead => ({
  sizeBytes: ContentLength ?? 0,
  contentType: ContentType ?? null,
  etag: bareEtag(ETag),
  version: VersionId ?? null,
})

export const nullWhenMissing = (err: unknown): null => {
  if (isMissing(err)) return null
  throw err
}

export const abortedBy = (signal: AbortSignal | undefined): { abortSignal?: AbortSignal } => (signal ? { abortSignal: signal } : {})

/** For what may be asked again: an attempt that waits for its answer on a connection that is dead ends, and the next one takes another. */
export const inTime = (
  { connection }: Bucket,
  signal: AbortSignal | undefined,
  /** How many times as long as usual. */
  times = 1,
): { readonly abortSignal?: AbortSignal; readonly requestTimeout: number } => ({
  ...abortedBy(signal),
  requestTimeout: connection.settings.timeouts.answerMs * times,
})

/**
 * HEAD, of a versioned object at `version`, when given. Its answers have no body, so that a missing bucket looks like a missing object: what
 * is missing at the first look makes it ask for the bucket once.
 *
 * @throws RindleError `storage_refused` when there is no such bucket
 */
export const lookAt = async (
  { bucket, connected }: { readonly bucket: Bucket; readonly connected: Connected },
  key: string,
  options: { readonly operation: string; readonly signal?: AbortSignal | undefined; readonly version?: string | undefined },
): Promise<ObjectHead | null> => {
  const { sdk, patient } = connected
  const look = new sdk.HeadObjectCommand({ Bucket: bucket.name, Key: key, VersionId: options.version })
  const answer = await patient.send(look, inTime(bucket, options.signal)).catch(nullWhenMissing)
  if (!answer && !bucket.answered) await refuseMissingBucket(bucket, connected, options)
  bucket.answered = true
  return answer && headOf(answer)
}

export const headObject =
  (bucket: Bucket): StorageAdapter['head'] =>
  (key, { signal } = {}) =>
    bucket.connection.call('head', signal, (connected) => lookAt({ bucket, connected }, bucket.keyOf(key), { operation: 'head', signal }))

/** Who may not look at the bucket is not told: the object is what was asked for. */
const refuseMissingBucket = async (
  bucket: Bucket,
  { sdk, patient }: Connected,
  { operation, signal }: { readonly operation: string; readonly signal?: AbortSignal | undefined },
): Promise<void> => {
  try {
    await patient.send(new sdk.HeadBucketCommand({ Bucket: bucket.name }), inTime(bucket, signal))
  } catch (err) {
    const { status } = answerOf(err)
    if (status === 404) throw new RindleError('storage_refused', { operation, store: bucket.connection.settings.id, reason: bucketMissing })
    if (status !== 403) throw err
  }
}

/** For what was just written and must be there. */
export const mustBeThere = (head: ObjectHead | null, operation: string, bucket: Bucket): ObjectHead => {
  if (!head) throw new RindleError('storage_failed', { operation, store: bucket.connection.settings.id })
  return head
}
