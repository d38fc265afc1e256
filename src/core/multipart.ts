import { RindleError } from './errors.ts'
import { bareEtag } from './etag.ts'
import type { MultipartLimits, StoredPart } from './ports/storage.ts'
import type { UploadSession } from './upload-session.ts'

/** How an object is cut: every part has `partBytes` but the last, which has what is left. */
export interface PartPlan {
  readonly partBytes: number
  readonly partCount: number
}

const mebibyte = 1024 * 1024
/** What a part has unless the object is so large that there would be too many. */
const usualPartBytes = 8 * mebibyte

/**
 * Cuts an object of `byteSize` bytes into parts that its store takes: `wishedPartBytes` each, larger where there would be more parts than
 * the store counts, in whole mebibytes.
 *
 * @throws RindleError `upload_too_large` when no cut fits; `argument_invalid` when the wish is none the store takes.
 */
export const planParts = (byteSize: number, limits: MultipartLimits, wishedPartBytes: number = usualPartBytes): PartPlan => {
  const { minPartBytes, maxPartBytes, maxParts, maxObjectBytes } = limits
  if (byteSize > maxObjectBytes) throw new RindleError('upload_too_large', { maxBytes: maxObjectBytes, actualBytes: byteSize })
  if (!Number.isSafeInteger(wishedPartBytes) || wishedPartBytes < minPartBytes || wishedPartBytes > maxPartBytes)
    throw new RindleError('argument_invalid', {
      argument: 'partBytes',
      problem: `it must be a whole number from ${minPartBytes} to ${maxPartBytes}`,
    })
  const needed = Math.ceil(Math.ceil(byteSize / maxParts) / mebibyte) * mebibyte
  const partBytes = byteSize <= wishedPartBytes * maxParts ? wishedPartBytes : needed
  if (partBytes > maxPartBytes) throw new RindleError('upload_too_large', { maxBytes: maxPartBytes * maxParts, actualBytes: byteSize })
  return { partBytes, partCount: partCountOf(byteSize, partBytes) }
}

/** At least one: an empty object has one empty part. */
const partCountOf = (byteSize: number, partBytes: number): number => Math.max(1, Math.ceil(byteSize / partBytes))

/** How many bytes part `partNumber` has, counted from 1. */
export const partSizeOf = (byteSize: number, partBytes: number, partNumber: number): number =>
  Math.min(partBytes, byteSize - (partNumber - 1) * partBytes)

/** How the file of a session was cut when it was opened. @throws RindleError `upload_unsupported` when it does not come in parts. */
export const partPlanOf = ({ declaredBytes, partBytes, uploadStrategy }: PlannedSession): PartPlan & { readonly byteSize: number } => {
  if (declaredBytes === null || partBytes === null)
    throw new RindleError('upload_unsupported', { capability: 'multipart_upload', uploadStrategy })
  return { byteSize: declaredBytes, partBytes, partCount: partCountOf(declaredBytes, partBytes) }
}

type PlannedSession = Pick<UploadSession, 'declaredBytes' | 'partBytes' | 'uploadStrategy'>

/** A part as the client says that it sent it. */
export interface SentPart {
  /** From 1. */
  readonly partNumber: number
  /** What storage answered to its PUT. Quotes around it do not matter. */
  readonly etag: string
}

/** The client's own list of what it sent, whatever it is. @throws RindleError `argument_invalid` */
export const sentPartsOf = (given: unknown): readonly SentPart[] => {
  if (!Array.isArray(given)) return refuseParts('it must be a list of { partNumber, etag }')
  if (given.length > mostParts) return refuseParts(`it names more than ${mostParts} parts`)
  const parts = given.map(sentPartOf)
  if (new Set(parts.map(({ partNumber }) => partNumber)).size < parts.length) return refuseParts('it names a part twice')
  return parts
}

const sentPartOf = (given: unknown): SentPart => {
  const part: { readonly partNumber?: unknown; readonly etag?: unknown } = typeof given === 'object' && given !== null ? given : {}
  const { partNumber, etag } = part
  if (typeof partNumber !== 'number' || !Number.isSafeInteger(partNumber) || partNumber < 1 || typeof etag !== 'string' || etag === '')
    return refuseParts('every part is { partNumber, etag }: a whole number from 1, and text')
  return { partNumber, etag }
}

const refuseParts = (problem: string): never => {
  throw new RindleError('argument_invalid', { argument: 'parts', problem })
}

/** No storage counts further. */
const mostParts = 10_000

/** How many missing parts an error names. */
const maxNamedParts = 100

/**
 * The parts that make up the announced file, by number: what storage lists decides, and what the client says it sent, where it says so, has
 * to agree.
 *
 * @throws RindleError `upload_parts_missing`, `upload_parts_mismatch`; `argument_invalid` when the client names a part that the file has not.
 */
export const judgeParts = (
  session: PlannedSession & Pick<UploadSession, 'id'>,
  stored: readonly StoredPart[],
  sent: readonly SentPart[] | null,
): readonly StoredPart[] => {
  const { byteSize, partBytes, partCount } = partPlanOf(session)
  const strange = sent?.find(({ partNumber }) => partNumber > partCount)
  if (strange) return refuseParts(`it names part ${strange.partNumber}, and the file has ${partCount}`)
  const listed = new Map(stored.map((part) => [part.partNumber, part]))
  const claimed = sent && new Map(sent.map(({ partNumber, etag }) => [partNumber, etag]))
  const [whole, missing]: [StoredPart[], number[]] = [[], []]
  for (let partNumber = 1; partNumber <= partCount; partNumber += 1) {
    const part = listed.get(partNumber)
    if (part && (claimed === null || claimed.has(partNumber))) whole.push(part)
    else missing.push(partNumber)
  }
  if (missing.length > 0) throw lacking(session.id, missing, partCount)
  for (const { partNumber, sizeBytes, etag } of whole) {
    const announced = partSizeOf(byteSize, partBytes, partNumber)
    const said = claimed?.get(partNumber)
    if (sizeBytes !== announced) throw mismatch(session.id, partNumber, `storage holds ${sizeBytes} bytes, and it should have ${announced}`)
    if (said !== undefined && bareEtag(said) !== bareEtag(etag))
      throw mismatch(session.id, partNumber, 'storage holds another one than the client says it sent')
  }
  return whole
}

/** What is said of an upload of which storage has no part. */
export const everyPartMissing = (session: PlannedSession & Pick<UploadSession, 'id'>): RindleError => {
  const { partCount } = partPlanOf(session)
  return lacking(
    session.id,
    Array.from({ length: partCount }, (_, index) => index + 1),
    partCount,
  )
}

const lacking = (sessionId: string, missing: readonly number[], partCount: number): RindleError =>
  new RindleError('upload_parts_missing', { sessionId, missing: missing.slice(0, maxNamedParts), missingCount: missing.length, partCount })

const mismatch = (sessionId: string, partNumber: number, problem: string): RindleError =>
  new RindleError('upload_parts_mismatch', { sessionId, partNumber, problem })

/** @throws RindleError `upload_put_too_large` when one PUT does not carry so much to that store. */
export const refuseLargePut = ({ maxPutBytes }: { readonly maxPutBytes?: number | undefined }, byteSize: number | null): void => {
  if (maxPutBytes !== undefined && byteSize !== null && byteSize > maxPutBytes)
    throw new RindleError('upload_put_too_large', { maxPutBytes, actualBytes: byteSize })
}
