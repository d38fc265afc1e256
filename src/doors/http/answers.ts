import type { AssetView } from '../../flows/delivery/view-asset.ts'
import { type AnyRindleError, isRindleError, RindleError } from '../../core/errors.ts'
import type { SignedRequest } from '../../core/ports/storage.ts'
import type { SignedUpload, UploadSession } from '../../core/upload-session.ts'
import type { AssetAnswer, ErrorAnswer, PresignedAnswer, SessionAnswer, SignedUploadAnswer } from '../../wire/shapes.ts'

export const json = (body: object, status = 200, headers: Readonly<Record<string, string>> = {}): Response =>
  new Response(JSON.stringify(body), {
    status,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', ...headers },
  })

export const sessionAnswer = (session: UploadSession): SessionAnswer => ({
  id: session.id,
  assetId: session.assetId,
  profile: session.profile,
  state: session.state,
  uploadStrategy: session.uploadStrategy,
  byteSize: session.declaredBytes,
  partBytes: session.partBytes,
  contentType: session.declaredType,
  expiresAt: session.expiresAt.toISOString(),
})

export const signedAnswer = ({ session, presigned }: SignedUpload): SignedUploadAnswer => ({
  session: sessionAnswer(session),
  presigned: presignedAnswer(presigned),
})

const presignedAnswer = ({ url, method, headers, expiresAt }: SignedRequest): PresignedAnswer => ({
  url,
  method,
  headers,
  expiresAt: expiresAt.toISOString(),
})

/** `withUrls`: whether the app lets this actor have addresses at all. */
export const assetAnswer = ({ asset, original, variants }: AssetView, withUrls: boolean): AssetAnswer => ({
  id: asset.id,
  profile: asset.profile,
  state: asset.state,
  kind: asset.kind,
  contentType: asset.contentType,
  width: asset.width,
  height: asset.height,
  durationMs: asset.durationMs,
  placeholder: asset.placeholder,
  error: asset.error && { code: asset.error.code, message: asset.error.message },
  url: withUrls ? (original?.url ?? null) : null,
  variants: Object.fromEntries(
    variants.map(({ variant: { name, state, progress, contentType, width, height, durationMs, error }, address, trackUrl }) => [
      name,
      {
        ...{ state, progress, contentType, width, height, durationMs },
        error: error && { code: error.code, message: error.message },
        ...{ url: withUrls ? (address?.url ?? null) : null, trackUrl: withUrls ? trackUrl : null },
      },
    ]),
  ),
})

/** Where an error came from decides what strangers learn of it: of our own trouble its code alone, never a store, a key or a folder. */
export const errorResponse = (err: unknown): Response => {
  const error: AnyRindleError = isRindleError(err) ? err : new RindleError('internal_error', {})
  const answer: ErrorAnswer = {
    error: isInternal(error)
      ? { code: error.code, message: error.status >= 500 ? troubleSentence : refusalSentence, details: {}, retryable: error.retryable }
      : { ...error.toJSON(), details: { ...error.details } },
  }
  return json(answer, error.status, headersFor(error))
}

const troubleSentence = new RindleError('internal_error', {}).message
const refusalSentence = 'This is not available here.'
const internalDetails = ['store', 'key', 'directory', 'packageName']

const isInternal = (error: AnyRindleError): boolean => error.status >= 500 || internalDetails.some((name) => name in error.details)

const headersFor = (error: AnyRindleError): Record<string, string> => {
  if (error.code === 'method_not_allowed') return { allow: error.details.allowed.join(', ') }
  if (error.code === 'object_range_invalid') return { 'content-range': `bytes */${error.details.sizeBytes}` }
  return {}
}
