import { RindleError } from '../../core/errors.ts'
import type { OpenedObject } from '../../flows/delivery/open-object.ts'
import type { OpenedTrack } from '../../flows/delivery/open-strip-track.ts'
import { namesEtag, rangeOf, rangeStands } from './byte-range.ts'

/**
 * Answers GET and HEAD for stored bytes: whole, one range, not modified, or 416. The bytes can neither be taken for another type nor
 * run anything in the origin that serves them, and a private answer is kept no longer than its address lives.
 */
export async function objectResponse(
  request: Request,
  object: OpenedObject,
  options: { readonly crossOrigin: boolean },
): Promise<Response> {
  const headers = headersOf(object, options.crossOrigin)
  if (namesEtag(request.headers.get('if-none-match'), object.etag)) return new Response(null, { status: 304, headers })

  headers.set('content-type', object.contentType)
  headers.set('content-disposition', object.contentDisposition)
  if (request.method === 'HEAD') {
    headers.set('content-length', String(object.sizeBytes))
    return new Response(null, { headers })
  }
  const wanted = rangeStands(request.headers.get('if-range'), object.etag) ? rangeOf(request.headers.get('range'), object.sizeBytes) : null
  if (wanted === 'unsatisfiable') throw new RindleError('object_range_invalid', { sizeBytes: object.sizeBytes })

  const { signal } = request
  if (wanted === null) {
    headers.set('content-length', String(object.sizeBytes))
    return new Response(await object.read({ signal }), { headers })
  }
  headers.set('content-length', String(wanted.end - wanted.start + 1))
  headers.set('content-range', `bytes ${wanted.start}-${wanted.end}/${object.sizeBytes}`)
  return new Response(await object.read({ range: wanted, signal }), { status: 206, headers })
}

/** Answers GET for the track of a strip, kept as long and shown to the same pages as the strip itself. */
export const trackResponse = ({ text, ...life }: OpenedTrack, options: { readonly crossOrigin: boolean }): Response => {
  const headers = deliveryHeaders(life, options.crossOrigin)
  headers.set('content-type', 'text/vtt; charset=utf-8')
  return new Response(text, { headers })
}

const headersOf = (object: OpenedObject, crossOrigin: boolean): Headers => {
  const headers = deliveryHeaders(object, crossOrigin)
  headers.set('accept-ranges', 'bytes')
  headers.set('etag', object.etag)
  return headers
}

const yearSeconds = 31_536_000

const deliveryHeaders = ({ cache, secondsLeft }: Pick<OpenedObject, 'cache' | 'secondsLeft'>, crossOrigin: boolean): Headers => {
  const isPublic = cache === 'public'
  const headers = new Headers({
    'cache-control': isPublic ? `public, max-age=${yearSeconds}, immutable` : `private, max-age=${secondsLeft}`,
    'content-security-policy': "default-src 'none'; sandbox",
    'cross-origin-resource-policy': isPublic || crossOrigin ? 'cross-origin' : 'same-site',
    'x-content-type-options': 'nosniff',
  })
  if (isPublic) headers.set('access-control-allow-origin', '*')
  return headers
}
