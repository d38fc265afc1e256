import type { CompletedPart } from '@aws-sdk/client-s3'
import { RindleError } from '../../../core/errors.ts'
import type { ObjectHead } from '../../../core/ports/storage.ts'
import type { Bucket } from './bucket.ts'
import type { Connected } from './connection.ts'
import { describedAs } from './description.ts'
import { isMissing, isPrecondition } from './failure.ts'
import { abortedBy, inTime, lookAt, mustBeThere } from './head.ts'

const abortWithinMs = 30_000

/** What is put together from parts in one go, by us. */
interface Assembly {
  readonly bucket: Bucket
  readonly connected: Connected
  /** As the bucket knows it. */
  readonly key: string
  readonly contentType: string | undefined
  readonly operation: 'put' | 'copy'
  readonly signal?: AbortSignal | undefined
}

/**
 * Begins an upload, lets `sendParts` send its parts, and puts them together where nothing is. When anything fails the upload is
 * aborted; no part may be under way any more by then.
 *
 * @throws RindleError `object_exists`
 */
export const assemble = async (
  assembly: Assembly,
  sendParts: (uploadId: string) => Promise<readonly CompletedPart[]>,
): Promise<ObjectHead> => {
  const { bucket, connected, key, contentType, operation, signal } = assembly
  const { sdk, once, patient } = connected
  const name = { Bucket: bucket.name, Key: key }
  const { UploadId } = await once.send(new sdk.CreateMultipartUploadCommand({ ...name, ...describedAs(contentType) }), abortedBy(signal))
  if (UploadId === undefined) throw new RindleError('storage_failed', { operation, store: bucket.connection.settings.id })
  try {
    const parts = await sendParts(UploadId)
    signal?.throwIfAborted()
    await complete(assembly, UploadId, parts)
  } catch (err) {
    const abort = new sdk.AbortMultipartUploadCommand({ ...name, UploadId })
    await patient.send(abort, inTime(bucket, AbortSignal.timeout(abortWithinMs))).catch(() => undefined)
    throw err
  }
  return mustBeThere(await lookAt(assembly, key, { operation, signal }), operation, bucket)
}

/** A repeat finds the object that the first attempt made: it is ours when the upload is gone. */
const complete = async ({ bucket, connected, key, signal }: Assembly, UploadId: string, parts: readonly CompletedPart[]): Promise<void> => {
  const { sdk, patient } = connected
  const upload = { Bucket: bucket.name, Key: key, UploadId }
  const command = new sdk.CompleteMultipartUploadCommand({ ...upload, IfNoneMatch: '*', MultipartUpload: { Parts: [...parts] } })
  try {
    await patient.send(command, abortedBy(signal))
  } catch (err) {
    if (!isPrecondition(err) && !isMissing(err)) throw err
    const open = await patient.send(new sdk.ListPartsCommand(upload), inTime(bucket, signal)).then(
      () => true,
      (problem: unknown) => !isMissing(problem),
    )
    if (open) throw isPrecondition(err) ? new RindleError('object_exists', {}) : err
  }
}
