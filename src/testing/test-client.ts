import { setTimeout as pause } from 'node:timers/promises'
import type { AssetState } from '../core/asset.ts'
import { recordedError, RindleError } from '../core/errors.ts'
import { named } from '../core/profile.ts'
import type { Handler } from '../doors/http/index.ts'
import { type Method, type RouteName, routes } from '../wire/routes.ts'
import type {
  AssetAnswer,
  CreatedUploadAnswer,
  ErrorAnswer,
  PresignedAnswer,
  SignedUploadAnswer,
  UploadRequest,
  VerifiedUploadAnswer,
} from '../wire/shapes.ts'
import { type ClientAnswer, type ClientRequest, sendByFetch } from './client-request.ts'

export interface TestClientOptions {
  /** The http door of the app; no socket is opened for it. */
  readonly handler: Handler
  /** The app's `baseUrl`. */
  readonly baseUrl: string
  /** Who clicks: headers that the app's `identify` reads, sent with every request to the door but those that a ticket allows. */
  readonly headers?: Readonly<Record<string, string>>
  /** How requests to storage are sent: `bucket.send`. Default: over the network. What the door serves is asked of the door. */
  readonly send?: (request: ClientRequest) => Promise<ClientAnswer>
  /** What goes on between two looks at an asset: `() => worker.pass(5)`. Default: a twentieth of a second. */
  readonly meanwhile?: () => Promise<unknown>
}

/** What somebody picks in a form. */
export interface TestFile extends Omit<UploadRequest, 'profile' | 'byteSize'> {
  readonly bytes: Uint8Array<ArrayBuffer>
}

/**
 * Does what a browser does, step by step or all at once. What the door refuses is thrown as the RindleError that it names; a connection to
 * storage that is lost is tried again.
 */
export interface TestClient {
  /** Declares the file. */
  open(profile: string, file: TestFile): Promise<CreatedUploadAnswer>
  /** Gets the tickets, one or one per part, and sends the bytes. @throws RindleError `storage_failed` when storage refuses them */
  send(created: CreatedUploadAnswer, bytes: Uint8Array<ArrayBuffer>): Promise<void>
  /** Says that the bytes are sent. */
  complete(created: CreatedUploadAnswer): Promise<AssetAnswer>
  /** Gives the upload up. */
  cancel(created: CreatedUploadAnswer): Promise<void>
  /** `open`, `send`, `complete`: the asset is then in the gate. */
  upload(profile: string, file: TestFile): Promise<AssetAnswer>
  asset(assetId: string): Promise<AssetAnswer>
  /** Looks until the asset has left the gate and nothing more is made of it. What was refused comes with its `error`. */
  settled(assetId: string): Promise<AssetAnswer>
  /** GETs what a URL leads to, whatever the answer. */
  fetch(url: string, headers?: Readonly<Record<string, string>>): Promise<ClientAnswer>
}

const resting: readonly AssetState[] = ['available', 'ready', 'degraded', 'quarantined']
const mostLooks = 200
const mostSends = 5
const meanwhileMs = 50

/** A client of an app's http door, in the same process. */
export const createTestClient = (options: TestClientOptions): TestClient => {
  const { handler, headers = {}, send = sendByFetch, meanwhile = () => pause(meanwhileMs) } = options
  const baseUrl = options.baseUrl.replace(/\/+$/, '')
  const isOurs = (url: string): boolean => url.startsWith(`${baseUrl}/`)

  const ask = async <T>(name: RouteName, params: Readonly<Record<string, string | number>>, body?: object): Promise<T> => {
    const { method, path } = routes[name]
    const url = baseUrl + path.replace(/:(\w+)/g, (_, param: string) => encodeURIComponent(String(params[param])))
    const json = body === undefined ? {} : { 'content-type': 'application/json' }
    const request = requestOf({ method, url, headers: { ...headers, ...json } }, body === undefined ? null : JSON.stringify(body))
    const answer = named<T & Partial<ErrorAnswer>>(await (await handler(request)).json())
    if (answer.error && !('id' in answer)) throw recordedError(answer.error, answer.error.details)
    return answer
  }
  const through = async (request: ClientRequest): Promise<ClientAnswer> => {
    if (!isOurs(request.url)) return send(request)
    const answer = await handler(requestOf(request, request.body ?? null))
    const body = new Uint8Array(await answer.arrayBuffer())
    return { status: answer.status, headers: Object.fromEntries(answer.headers.entries()), body }
  }
  const put = async ({ url, method, headers: bound }: PresignedAnswer, body: Uint8Array<ArrayBuffer>): Promise<void> => {
    const { status } = await again(() => through({ url, method, headers: bound, body }))
    // It is there already: the answer to an earlier attempt was lost.
    if (status === 412 || (status >= 200 && status < 300)) return
    throw new RindleError('storage_failed', { operation: method, store: new URL(url).host }, { cause: `it answered ${status}` })
  }

  const client: TestClient = {
    open: (profile, { bytes, ...file }) => ask('createUpload', {}, { profile, byteSize: bytes.byteLength, ...file }),
    async send({ session, multipart }, bytes) {
      if (!multipart) {
        const { presigned } = await ask<SignedUploadAnswer>('signUpload', { id: session.id }, {})
        return put(presigned, bytes)
      }
      const { partBytes, partCount } = multipart
      for (let n = 1; n <= partCount; n += 1) {
        const { presigned } = await ask<SignedUploadAnswer>('signPart', { id: session.id, n }, {})
        await put(presigned, bytes.slice((n - 1) * partBytes, n * partBytes))
      }
    },
    async complete({ session, multipart }) {
      const name = multipart ? 'completeUpload' : 'verifyUpload'
      return (await ask<VerifiedUploadAnswer>(name, { id: session.id }, {})).asset
    },
    async cancel({ session }) {
      await ask('cancelUpload', { id: session.id })
    },
    async upload(profile, file) {
      const created = await client.open(profile, file)
      await client.send(created, file.bytes)
      return client.complete(created)
    },
    asset: (id) => ask('readAsset', { id }),
    async settled(assetId) {
      const began = performance.now()
      for (let looks = 1; ; looks += 1) {
        const asset = await client.asset(assetId)
        if (resting.includes(asset.state)) return asset
        if (looks === mostLooks)
          throw new RindleError('settled_timeout', { assetId, timeoutMs: Math.round(performance.now() - began), state: asset.state })
        await meanwhile()
      }
    },
    fetch: (url, more = {}) => through({ method: 'GET', url, headers: more }),
  }
  return client
}

const requestOf = (
  {
    method,
    url,
    headers = {},
  }: { readonly method: Method | string; readonly url: string; readonly headers?: Readonly<Record<string, string>> },
  body: string | Uint8Array<ArrayBuffer> | null,
): Request => new Request(url, { method, headers, ...(body === null ? {} : { body }) })

/** A browser's upload is begun anew where its connection was lost. */
const again = async (send: () => Promise<ClientAnswer>): Promise<ClientAnswer> => {
  for (let sends = 1; ; sends += 1) {
    try {
      return await send()
    } catch (err) {
      if (sends === mostSends || !(err instanceof DOMException && err.name === 'NetworkError')) throw err
    }
  }
}
