import { createHmac, timingSafeEqual } from 'node:crypto'
import type { SignedRequest } from '../../core/ports/storage.ts'
import type { ClientRequest } from '../client-request.ts'

/** What a ticket is for. The query's values and the headers are bound as they are. */
interface TicketTerms {
  readonly method: 'PUT' | 'GET'
  readonly key: string
  readonly query: Readonly<Record<string, string>>
  /** Sent by the client, besides what it sends by itself. */
  readonly headers: Readonly<Record<string, string>>
  /** Bound as `content-length`, which every client sends by itself. */
  readonly sizeBytes: number | null
  readonly at: Date
  readonly ttlSeconds: number
}

export type Opened =
  | { readonly ok: true; readonly key: string; readonly query: ReadonlyMap<string, string> }
  | { readonly ok: false; readonly why: 'AccessDenied' | 'SignatureDoesNotMatch' | 'ExpiredToken' | 'RequestTimeTooSkewed' }

export interface TicketOffice {
  sign(terms: TicketTerms): SignedRequest
  /** Reads what the ticket allows. Whatever was bound and is not as it was makes it nobody's. */
  open(request: ClientRequest, now: Date): Opened
  /** The plain address of a key. */
  address(key: string): string
}

const maxTtlSeconds = 604_800
const maxSkewMs = 15 * 60_000
const own = { at: 'x-at', expires: 'x-expires', headers: 'x-signed-headers', signature: 'x-signature' } as const

/** Signs as S3 does in substance, not in form: method, key, query, named headers, an instant and how long. */
export const createTicketOffice = (origin: string): TicketOffice => {
  const signatureOf = (lines: readonly string[]): Buffer =>
    createHmac('sha256', `the key of ${origin}`).update(JSON.stringify(lines)).digest()
  const address = (key: string): string => `${origin}/${key.split('/').map(encodeURIComponent).join('/')}`

  return {
    address,
    sign({ method, key, query, headers, sizeBytes, at, ttlSeconds }) {
      const bound: Record<string, string> = { ...headers, ...(sizeBytes === null ? {} : { 'content-length': String(sizeBytes) }) }
      const names = Object.keys(bound).sort()
      const seconds = Math.min(ttlSeconds, maxTtlSeconds)
      const url = new URL(address(key))
      const told = { ...query, [own.at]: at.toISOString(), [own.expires]: String(seconds), [own.headers]: names.join(';') }
      for (const [name, value] of Object.entries(told)) url.searchParams.set(name, value)
      const signature = signatureOf(linesOf(method, url, names, (name) => bound[name] ?? ''))
      url.searchParams.set(own.signature, signature.toString('hex'))
      return { url: url.href, method, headers, expiresAt: new Date(at.getTime() + seconds * 1000) }
    },
    open(request, now) {
      const url = new URL(request.url)
      const given = Buffer.from(url.searchParams.get(own.signature) ?? '', 'hex')
      if (url.origin !== origin || given.byteLength === 0) return { ok: false, why: 'AccessDenied' }
      const sent = sentHeaders(request)
      const names = (url.searchParams.get(own.headers) ?? '').split(';').filter((name) => name !== '')
      if (request.method !== 'GET' && [...sent.keys()].some((name) => name.startsWith('x-amz-') && !names.includes(name)))
        return { ok: false, why: 'AccessDenied' }
      const expected = signatureOf(linesOf(request.method, url, names, (name) => sent.get(name) ?? ''))
      if (given.byteLength !== expected.byteLength || !timingSafeEqual(given, expected)) return { ok: false, why: 'SignatureDoesNotMatch' }
      const at = Date.parse(url.searchParams.get(own.at) ?? '')
      if (at > now.getTime() + maxSkewMs) return { ok: false, why: 'RequestTimeTooSkewed' }
      if (now.getTime() >= at + Number(url.searchParams.get(own.expires)) * 1000) return { ok: false, why: 'ExpiredToken' }
      const key = keyOf(url)
      return key === null ? { ok: false, why: 'AccessDenied' } : { ok: true, key, query: new Map(url.searchParams) }
    },
  }
}

/** The key that a path names; null when it is none. */
export const keyOf = (url: URL): string | null => {
  try {
    return url.pathname.slice(1).split('/').map(decodeURIComponent).join('/')
  } catch {
    return null
  }
}

const linesOf = (method: string, url: URL, names: readonly string[], valueOf: (name: string) => string): string[] => [
  method,
  url.pathname,
  ...[...url.searchParams]
    .filter(([name]) => name !== own.signature)
    .map(([name, value]) => `${name}=${value}`)
    .sort(),
  ...names.map((name) => `${name}:${valueOf(name).trim()}`),
]

const sentHeaders = ({ headers = {}, body }: ClientRequest): ReadonlyMap<string, string> => {
  const sent = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
  sent.set('content-length', String(body?.byteLength ?? 0))
  return sent
}
