import { createCipheriv, createDecipheriv, createHmac, type KeyObject, timingSafeEqual } from 'node:crypto'
import { RindleError } from './errors.ts'
import type { KeyRing } from './key-ring.ts'

/** Lets its holder PUT one object, once. Everything named here binds: the door takes nothing else. */
export interface PutTicket {
  /** The adapter's id. */
  readonly store: string
  readonly key: string
  readonly objectId: string
  /** Null for an object that the app wrote a ticket for itself, below `unmanaged/`. */
  readonly sessionId: string | null
  readonly sizeBytes: number
  readonly contentType: string
  /** Lower-case hex; null when the client did not announce one. */
  readonly sha256: string | null
  readonly createOnly: boolean
  readonly issuedAt: Date
  readonly expiresAt: Date
}

/** Lets its holder GET or HEAD one object until it expires. */
export interface GetTicket {
  readonly store: string
  readonly key: string
  readonly objectId: string | null
  readonly contentType: string
  readonly contentDisposition: string
  /** `public`: anybody may cache it for ever. `private`: only the browser, and only while the ticket lives. */
  readonly cache: 'public' | 'private'
  readonly issuedAt: Date
  readonly expiresAt: Date
}

/** Lets its holder read the track of a film's thumbnails, with the strip's address in it, until it expires. */
export interface TrackTicket {
  readonly assetId: string
  /** The strip: once another one takes its place, the ticket leads nowhere. */
  readonly objectId: string
  readonly cache: 'public' | 'private'
  readonly issuedAt: Date
  readonly expiresAt: Date
}

/** One member for each thing that a ticket may allow; a new one needs its codec below. */
interface Tickets {
  put: PutTicket
  get: GetTicket
  track: TrackTicket
}
export type TicketPurpose = keyof Tickets

/** A ticket that writes lives at most so long. */
export const maxPutTicketSeconds = 900

/** What is longer is refused before any of it is decoded. */
export const maxTicketCharacters = 8192

/**
 * A token for one purpose, in characters that need no escaping in a URL. Nobody without the secrets can make one, change
 * one, use it for another purpose, or read in it which store, folder or key it is about.
 *
 * The form is `base64url(claims).base64url(HMAC-SHA256 of the claims)`, the claims encrypted with AES-256-CTR under the HMAC's
 * first half (a synthetic IV), so that equal claims make equal tokens and caches keep working.
 *
 * @throws RindleError `argument_invalid` when it would live too long or be too large.
 */
export const mintTicket = <P extends TicketPurpose>(keyRing: KeyRing, purpose: P, ticket: Tickets[P]): string => {
  const [key] = ticketKeys(keyRing, purpose)
  const claims = Buffer.from(JSON.stringify([version, ...codecs[purpose].encode(ticket)]))
  const mac = macOf(key.mac, claims)
  const sealed = createCipheriv('aes-256-ctr', key.seal, mac.subarray(0, 16)).update(claims)
  const token = `${sealed.toString('base64url')}.${mac.toString('base64url')}`
  if (token.length > maxTicketCharacters)
    throw new RindleError('argument_invalid', {
      argument: 'ticket',
      problem: `its claims do not fit into ${maxTicketCharacters} characters`,
    })
  return token
}

/**
 * What a ticket allows, when it was made here, for this purpose, by any of the secrets, and has not expired at `now`.
 *
 * @throws RindleError `ticket_invalid`, the same whatever is wrong; `ticket_expired` for a genuine one whose time is up.
 */
export const openTicket = <P extends TicketPurpose>(keyRing: KeyRing, purpose: P, token: string, now: Date): Tickets[P] => {
  const claims = authenticClaims(keyRing, purpose, token)
  const ticket = claims && codecs[purpose].decode(claims)
  if (!ticket) throw new RindleError('ticket_invalid', {})
  if (now.getTime() >= ticket.expiresAt.getTime()) throw new RindleError('ticket_expired', {})
  return ticket
}

const version = 1

interface TicketKey {
  readonly mac: KeyObject
  readonly seal: KeyObject
}

const ticketKeys = (keyRing: KeyRing, purpose: TicketPurpose): [TicketKey, ...TicketKey[]] => {
  const [mac, ...macs] = keyRing.keysFor(`ticket:${purpose}:authenticate`)
  const [seal, ...seals] = keyRing.keysFor(`ticket:${purpose}:seal`)
  return [{ mac, seal }, ...macs.map((one, index) => ({ mac: one, seal: seals[index] ?? seal }))]
}

const macOf = (key: KeyObject, claims: Uint8Array): Buffer => createHmac('sha256', key).update(claims).digest()

/** Every secret is tried, whether or not one has matched, so that the time taken tells nothing about which. */
const authenticClaims = (keyRing: KeyRing, purpose: TicketPurpose, token: string): Reader | null => {
  if (token.length > maxTicketCharacters) return null
  const [first, second, ...rest] = token.split('.', 3)
  const sealed = canonicalBytes(first)
  const mac = canonicalBytes(second)
  if (!sealed || mac?.byteLength !== 32 || rest.length > 0) return null

  let authentic: Buffer | null = null
  for (const key of ticketKeys(keyRing, purpose)) {
    const claims = createDecipheriv('aes-256-ctr', key.seal, mac.subarray(0, 16)).update(sealed)
    if (timingSafeEqual(macOf(key.mac, claims), mac)) authentic = claims
  }
  return authentic && readerOf(authentic)
}

/** Null for what is not the one way to write these bytes: decoders skip what they do not know, and spare bits are free. */
const canonicalBytes = (text: string | undefined): Buffer | null => {
  if (!text) return null
  const bytes = Buffer.from(text, 'base64url')
  return bytes.toString('base64url') === text ? bytes : null
}

/** Takes claims one after another; whatever is of another type than asked for makes the ticket invalid. */
interface Reader {
  text(): string
  textOrNull(): string | null
  number(): number
}

const readerOf = (claims: Buffer): Reader | null => {
  const values: unknown = JSON.parse(claims.toString())
  if (!Array.isArray(values) || values[0] !== version) return null
  let next = 1
  const take = (): unknown => values[next++]
  const refuse = (): never => {
    throw new RindleError('ticket_invalid', {})
  }
  const text = (value: unknown): string => (typeof value === 'string' ? value : refuse())
  return {
    text: () => text(take()),
    textOrNull: () => {
      const value = take()
      return value === null ? null : text(value)
    },
    number: () => {
      const value = take()
      return typeof value === 'number' ? value : refuse()
    },
  }
}

type Claims = readonly (string | number | null)[]

interface Codec<T> {
  encode(ticket: T): Claims
  /** In the order of `encode`. */
  decode(claims: Reader): T
}

const times = (ticket: { issuedAt: Date; expiresAt: Date }): Claims => [ticket.issuedAt.getTime(), ticket.expiresAt.getTime()]

const codecs: { readonly [P in TicketPurpose]: Codec<Tickets[P]> } = {
  put: {
    encode: (ticket) => {
      if (!(ticket.expiresAt.getTime() - ticket.issuedAt.getTime() <= maxPutTicketSeconds * 1000))
        throw new RindleError('argument_invalid', {
          argument: 'expiresAt',
          problem: `a ticket that writes lives at most ${maxPutTicketSeconds} seconds`,
        })
      const { store, key, objectId, sessionId, sizeBytes, contentType, sha256, createOnly } = ticket
      return [...times(ticket), store, key, objectId, sessionId, sizeBytes, contentType, sha256, createOnly ? 1 : 0]
    },
    decode: (claims) => ({
      issuedAt: new Date(claims.number()),
      expiresAt: new Date(claims.number()),
      store: claims.text(),
      key: claims.text(),
      objectId: claims.text(),
      sessionId: claims.textOrNull(),
      sizeBytes: claims.number(),
      contentType: claims.text(),
      sha256: claims.textOrNull(),
      createOnly: claims.number() === 1,
    }),
  },
  get: {
    encode: (ticket) => {
      const { store, key, objectId, contentType, contentDisposition, cache } = ticket
      return [...times(ticket), store, key, objectId, contentType, contentDisposition, cache === 'public' ? 1 : 0]
    },
    decode: (claims) => ({
      issuedAt: new Date(claims.number()),
      expiresAt: new Date(claims.number()),
      store: claims.text(),
      key: claims.text(),
      objectId: claims.textOrNull(),
      contentType: claims.text(),
      contentDisposition: claims.text(),
      cache: claims.number() === 1 ? 'public' : 'private',
    }),
  },
  track: {
    encode: (ticket) => [...times(ticket), ticket.assetId, ticket.objectId, ticket.cache === 'public' ? 1 : 0],
    decode: (claims) => ({
      issuedAt: new Date(claims.number()),
      expiresAt: new Date(claims.number()),
      assetId: claims.text(),
      objectId: claims.text(),
      cache: claims.number() === 1 ? 'public' : 'private',
    }),
  },
}
