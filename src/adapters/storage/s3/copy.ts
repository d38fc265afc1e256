import type { CompletedPart } from '@aws-sdk/client-s3'
import { RindleError } from '../../../core/errors.ts'
import { bareEtag } from '../../../core/etag.ts'
import { planParts } from '../../../core/multipart.ts'
import type { ObjectHead, Patch, StorageAdapter } from '../../../core/ports/storage.ts'
import { patchesWithin, refusePatchesBeyond } from '../patches.ts'
import { encodeKey, encodeText } from './address.ts'
import { assemble } from './assemble.ts'
import type { Bucket } from './bucket.ts'
import type { Connected } from './connection.ts'
import { isMissing, isPrecondition } from './failure.ts'
import { describedAs } from './description.ts'
import { abortedBy, lookAt, mustBeThere } from './head.ts'
import { patchedPartBytes, sendPatched } from './patch.ts'

const partsAtOnce = 8

interface Copying {
  readonly bucket: Bucket
  readonly connected: Connected
  /** As the bucket knows it. */
  readonly from: string
  readonly version: string | undefined
  readonly to: string
  readonly source: ObjectHead
  /** Named as the server wants to read it: encoded, with its version. */
  readonly copySource: { readonly CopySource: string; readonly CopySourceIfMatch?: string }
  readonly patches: readonly Patch[]
  readonly signal: AbortSignal | undefined
}

/**
 * One request; above what one copies, and where there are patches, a multipart upload whose parts are copied, but those with patches in them. The condition goes with every request, whether or not the
 * server makes sure of it; that nothing may be at the destination goes only where it does. What is answered is what is there then.
 */
export const copyObject =
  (bucket: Bucket): StorageAdapter['copy'] =>
  (from, to, { signal, ifMatch, version, patches = [] } = {}) => {
    const { settings, call } = bucket.connection
    return call('copy', signal, async (connected) => {
      const key = bucket.keyOf(from)
      const source = await lookAt({ bucket, connected }, key, { operation: 'copy', signal, version })
      if (!source || (ifMatch !== undefined && ifMatch !== source.etag)) return null
      refusePatchesBeyond(patches, source.sizeBytes)
      const versioned = version === undefined ? '' : `?versionId=${encodeText(version)}`
      const copySource = {
        CopySource: `${bucket.name}/${encodeKey(key)}${versioned}`,
        ...(ifMatch === undefined ? {} : { CopySourceIfMatch: `"${ifMatch}"` }),
      }
      const copying = { bucket, connected, from: key, version, to: bucket.keyOf(to), source, copySource, patches, signal }
      const isOnce = patches.length === 0 && source.sizeBytes <= bucket.sizes.copyBytes
      try {
        return await (isOnce ? copyOnce(copying) : copyParts(copying))
      } catch (err) {
        if (
          isPrecondition(err) &&
          settings.conditionalCopy &&
          (await lookAt({ bucket, connected }, copying.to, { operation: 'copy', signal }))
        )
          throw new RindleError('object_exists', {})
        if (isPrecondition(err)) return null
        if (!isMissing(err)) throw err
        const left = await lookAt({ bucket, connected }, key, { operation: 'copy', signal, version })
        if (left?.etag === source.etag) throw new RindleError('storage_failed', { operation: 'copy', store: settings.id }, { cause: err })
        return null
      }
    })
  }

/**
 * Nothing but the type goes along: other headers of a PUT, such as content-encoding, need no signature, and would change what is served.
 * Where the destination's etag is the source's its bytes are the same; else somebody has to look.
 */
const copyOnce = async (copying: Copying): Promise<ObjectHead> => {
  const { bucket, connected, to, source, copySource, signal } = copying
  const { sdk, once } = connected
  const createOnly = bucket.connection.settings.conditionalCopy ? { IfNoneMatch: '*' } : {}
  const described = { MetadataDirective: 'REPLACE', ...describedAs(source.contentType ?? undefined) } as const
  const copy = new sdk.CopyObjectCommand({ Bucket: bucket.name, Key: to, ...copySource, ...described, ...createOnly })
  const { CopyObjectResult, VersionId } = await once.send(copy, abortedBy(signal))
  const isSame = bareEtag(CopyObjectResult?.ETag) === source.etag
  if (isSame && (VersionId !== undefined || source.version === null)) return { ...source, version: VersionId ?? null }
  return mustBeThere(await lookAt({ bucket, connected }, to, { operation: 'copy', signal }), 'copy', bucket)
}

const copyParts = ({ bucket, connected, from, version, to, source, copySource, patches, signal }: Copying): Promise<ObjectHead> => {
  const { sizeBytes } = source
  const { limits, copyPartBytes } = bucket.sizes
  const { partBytes, partCount } = planParts(sizeBytes, limits, patches.length > 0 ? patchedPartBytes(sizeBytes, limits) : copyPartBytes)
  const contentType = source.contentType ?? undefined
  const { sdk, once } = connected
  return assemble({ bucket, connected, key: to, contentType, operation: 'copy', signal }, (uploadId) =>
    eachPart(partCount, signal, async (PartNumber, stopped) => {
      const first = (PartNumber - 1) * partBytes
      const end = Math.min(first + partBytes, sizeBytes)
      const upload = { Bucket: bucket.name, Key: to, UploadId: uploadId, PartNumber }
      const fresh = patchesWithin(patches, first, end)
      if (fresh.length > 0)
        return sendPatched({ bucket, connected, from, version, source, upload, first, end, patches: fresh, signal: stopped })
      const copy = new sdk.UploadPartCopyCommand({ ...upload, ...copySource, CopySourceRange: `bytes=${first}-${end - 1}` })
      const { CopyPartResult } = await once.send(copy, { abortSignal: stopped })
      if (CopyPartResult?.ETag === undefined)
        throw new RindleError('storage_failed', { operation: 'copy', store: bucket.connection.settings.id })
      return { PartNumber, ETag: CopyPartResult.ETag }
    }),
  )
}

/** Some at a time; the first that fails stops the others, and is what comes out once they have ended. */
const eachPart = async (
  count: number,
  signal: AbortSignal | undefined,
  copyPart: (partNumber: number, signal: AbortSignal) => Promise<CompletedPart>,
): Promise<CompletedPart[]> => {
  const stop = new AbortController()
  const stopped = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal
  const parts: CompletedPart[] = []
  const failures: unknown[] = []
  let next = 1
  const copySome = async (): Promise<void> => {
    while (next <= count && !stopped.aborted) {
      const number = next++
      try {
        parts[number - 1] = await copyPart(number, stopped)
      } catch (err) {
        failures.push(err)
        stop.abort()
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(partsAtOnce, count) }, copySome))
  signal?.throwIfAborted()
  if (failures.length > 0) throw failures[0]
  return parts
}
