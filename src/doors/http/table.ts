import type { RindleContext } from '../../context.ts'
import type { Asset } from '../../core/asset.ts'
import { isRindleError, RindleError } from '../../core/errors.ts'
import { isId } from '../../core/ids.ts'
import { openTicket } from '../../core/ticket.ts'
import type { UploadSession, VerifiedUpload } from '../../core/upload-session.ts'
import { asset } from '../../flows/assets/asset.ts'
import { openObject } from '../../flows/delivery/open-object.ts'
import { openStripTrack } from '../../flows/delivery/open-strip-track.ts'
import { viewAsset } from '../../flows/delivery/view-asset.ts'
import { cancelUpload } from '../../flows/uploads/cancel-upload.ts'
import { completeMultipartUpload } from '../../flows/uploads/complete-multipart-upload.ts'
import { initiateMultipartUpload } from '../../flows/uploads/initiate-multipart-upload.ts'
import { initiateUpload } from '../../flows/uploads/initiate-upload.ts'
import { receiveObject } from '../../flows/uploads/receive-object.ts'
import { signMultipartPart } from '../../flows/uploads/sign-multipart-part.ts'
import { signUpload } from '../../flows/uploads/sign-upload.ts'
import { uploadSession } from '../../flows/uploads/upload-session.ts'
import { verifyCompletion } from '../../flows/uploads/verify-completion.ts'
import { type Action, type Route, type RouteName, routes } from '../../wire/routes.ts'
import type { CreatedUploadAnswer, VerifiedUploadAnswer } from '../../wire/shapes.ts'
import { assetAnswer, json, sessionAnswer, signedAnswer } from './answers.ts'
import { announcedBytes, fieldsOf, readJsonObject, refuseConsumed } from './bodies.ts'
import { objectResponse, trackResponse } from './object-response.ts'

/** What `authorize` is asked about. */
export type Subject = { readonly profile: string } | { readonly session: UploadSession } | { readonly asset: Asset }

/** One request on its way through a route. */
export interface Visit {
  readonly ctx: RindleContext
  readonly request: Request
  readonly params: Readonly<Record<string, string>>
  readonly actor: unknown
  /** Goes on when the app's `authorize` says yes. @throws RindleError `not_authorized` */
  demand(action: Action, subject: Subject): Promise<void>
  /** The same question, asked without insisting. */
  mayI(action: Action, subject: Subject): Promise<boolean>
  /** Whether pages of other origins are expected. */
  readonly crossOrigin: boolean
}

export type HttpRoute = Route & { readonly name: RouteName; answer(visit: Visit): Promise<Response> }

const createUpload = async ({ ctx, request, actor, demand }: Visit): Promise<Response> => {
  const fields = fieldsOf(await readJsonObject(request))
  const profile = fields.text('profile')
  const [contentType, sha256, idempotencyKey] = [
    fields.optionalText('contentType'),
    fields.optionalText('sha256'),
    fields.optionalText('idempotencyKey'),
  ]
  const wish = { filename: fields.text('filename'), byteSize: fields.number('byteSize'), contentType, sha256, idempotencyKey }
  const [isMultipart, partBytes] = [fields.optionalFlag('multipart') ?? false, fields.optionalNumber('partBytes')]
  fields.end()
  if (partBytes !== undefined && !isMultipart) throw new RindleError('body_invalid', { problem: 'partBytes is for uploads with multipart' })
  await demand('upload.create', { profile })
  const owner = ownerFrom(actor)
  const created = isMultipart
    ? await initiateMultipartUpload(ctx, profile, { ...wish, partBytes, owner })
    : { session: await initiateUpload(ctx, profile, { ...wish, owner }) }
  const answer: CreatedUploadAnswer = { ...created, session: sessionAnswer(created.session) }
  return json(answer, 201)
}

const signTicket = async (visit: Visit): Promise<Response> => {
  await readJsonObject(visit.request)
  const asked = await sessionFor(visit, 'upload.sign')
  return json(signedAnswer(await signUpload(visit.ctx, asked.id)))
}

const signPart = async (visit: Visit): Promise<Response> => {
  await readJsonObject(visit.request)
  const asked = await sessionFor(visit, 'upload.sign')
  const n = visit.params['n'] ?? ''
  return json(signedAnswer(await signMultipartPart(visit.ctx, asked.id, /^\d+$/.test(n) ? Number(n) : NaN)))
}

const complete = async (visit: Visit): Promise<Response> => {
  const asked = await sessionFor(visit, 'upload.complete')
  const fields = fieldsOf(await readJsonObject(visit.request, maxPartsBytes))
  const parts = fields.optional('parts')
  fields.end()
  return landed(visit, await completeMultipartUpload(visit.ctx, asked.id, parts))
}

/** Ten thousand parts with their etags fit in. So much is read for nobody who may not ask. */
const maxPartsBytes = 2 * 1024 * 1024

const verify = async (visit: Visit): Promise<Response> => {
  await readJsonObject(visit.request)
  const asked = await sessionFor(visit, 'upload.verify')
  return landed(visit, await verifyCompletion(visit.ctx, asked.id))
}

const landed = async ({ ctx, actor, mayI }: Visit, { session, asset }: VerifiedUpload): Promise<Response> => {
  const withUrls = await mayI('asset.deliver', { asset })
  const view = (await viewAsset(ctx, asset, { actor })) ?? { asset, original: null, variants: [] }
  const answer: VerifiedUploadAnswer = { session: sessionAnswer(session), asset: assetAnswer(view, withUrls) }
  return json(answer)
}

const cancel = async (visit: Visit): Promise<Response> => {
  const asked = await sessionFor(visit, 'upload.cancel')
  return json({ session: sessionAnswer(await cancelUpload(visit.ctx, asked.id)) })
}

const readAsset = async ({ ctx, params, actor, demand, mayI }: Visit): Promise<Response> => {
  const assetId = params['id'] ?? ''
  const found = isId(assetId) ? await asset(ctx, assetId) : null
  if (!found) throw new RindleError('asset_not_found', { assetId })
  await demand('asset.read', { asset: found })
  const view = await viewAsset(ctx, found, { actor })
  if (!view) throw new RindleError('asset_not_found', { assetId })
  return json(assetAnswer(view, await mayI('asset.deliver', { asset: view.asset })))
}

const putObject = async ({ ctx, request, params }: Visit): Promise<Response> => {
  const ticket = openTicket(ctx.keys, 'put', params['ticket'] ?? '', ctx.clock.now())
  refuseConsumed(request)
  const { body, headers, signal } = request
  const contentLength = headers.has('content-length') ? announcedBytes(request) : null
  await receiveObject(ctx, ticket, { body, contentType: headers.get('content-type'), contentLength, signal }).catch((err: unknown) => {
    throw isEaten(err, contentLength) ? new RindleError('body_consumed', {}, { cause: err }) : err
  })
  return json({})
}

/** A body that was announced and holds nothing, although its connection stands, was read by somebody before us. */
const isEaten = (err: unknown, contentLength: number | null): boolean =>
  isRindleError(err) && err.code === 'object_size_mismatch' && err.details.actualBytes === 0 && contentLength !== null && contentLength > 0

const getObject = async ({ ctx, request, params, crossOrigin }: Visit): Promise<Response> =>
  objectResponse(request, await openObject(ctx, params['ticket'] ?? ''), { crossOrigin })

const getTrack = async ({ ctx, params, crossOrigin }: Visit): Promise<Response> =>
  trackResponse(await openStripTrack(ctx, params['ticket'] ?? ''), { crossOrigin })

const sessionFor = async ({ ctx, params, demand }: Visit, action: Action): Promise<UploadSession> => {
  const sessionId = params['id'] ?? ''
  const session = isId(sessionId) ? await uploadSession(ctx, sessionId) : null
  if (!session) throw new RindleError('upload_session_not_found', { sessionId })
  await demand(action, { session })
  return session
}

/** An actor that is an owner opens uploads as that owner; nobody can name another. */
const ownerFrom = (actor: unknown): { type: string; id: string | number | bigint } | undefined => {
  if (typeof actor !== 'object' || actor === null || !('type' in actor) || !('id' in actor)) return undefined
  const { type, id } = actor
  const known = typeof id === 'string' || typeof id === 'number' || typeof id === 'bigint'
  return typeof type === 'string' && known ? { type, id } : undefined
}

const answers: { readonly [N in RouteName]: (visit: Visit) => Promise<Response> } = {
  createUpload,
  signUpload: signTicket,
  signPart,
  completeUpload: complete,
  verifyUpload: verify,
  cancelUpload: cancel,
  readAsset,
  putObject,
  getObject,
  headObject: getObject,
  getTrack,
}

const route = <N extends RouteName>(name: N): HttpRoute => ({ ...routes[name], name, answer: answers[name] })

/** Every route of the wire's table with what answers it. */
export const httpRoutes: readonly HttpRoute[] = [
  route('createUpload'),
  route('signUpload'),
  route('signPart'),
  route('completeUpload'),
  route('verifyUpload'),
  route('cancelUpload'),
  route('readAsset'),
  route('putObject'),
  route('getObject'),
  route('headObject'),
  route('getTrack'),
]
