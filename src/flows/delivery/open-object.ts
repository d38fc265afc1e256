import { deliverableStates } from '../../core/asset.ts'
import { RindleError } from '../../core/errors.ts'
import type { ByteRange } from '../../core/ports/storage.ts'
import { openTicket } from '../../core/ticket.ts'
import type { RindleContext } from '../../context.ts'
import { findTicketedObject, type TicketedObject } from '../../database/queries/served-assets.ts'

/** An object that a ticket opened: what to say about it, and how to read it. */
export interface OpenedObject {
  /** A strong validator: bytes under a key never change. */
  readonly etag: string
  readonly sizeBytes: number
  readonly contentType: string
  readonly contentDisposition: string
  /** `public`: anybody may keep it for ever. */
  readonly cache: 'public' | 'private'
  /** How long the ticket still lives. */
  readonly secondsLeft: number
  /** @throws RindleError `object_not_found` when the bytes went meanwhile. */
  read(options: { readonly range?: ByteRange; readonly signal?: AbortSignal }): Promise<ReadableStream<Uint8Array>>
}

/**
 * Opens what a GET ticket names, if it may still be served: a ticket outlives neither its asset nor the verdict on it, and a public one
 * not the publicness of its profile.
 *
 * @throws RindleError `ticket_invalid`, `ticket_expired`, `object_not_found`
 */
export async function openObject(
  ctx: Pick<RindleContext, 'db' | 'stores' | 'profiles' | 'keys' | 'clock'>,
  token: string,
): Promise<OpenedObject> {
  const now = ctx.clock.now()
  const ticket = openTicket(ctx.keys, 'get', token, now)
  const object = ticket.objectId === null ? null : await findTicketedObject(ctx.db.pool, ticket.objectId)
  if (!object || !mayServe(ctx.profiles, object, ticket.cache)) throw new RindleError('object_not_found', {})

  const store = ctx.stores.at(ticket.store)
  const sizeBytes = object.byteSize ?? (await store.head(ticket.key))?.sizeBytes
  if (sizeBytes === undefined) throw new RindleError('object_not_found', {})
  return {
    etag: `"${ticket.objectId}"`,
    sizeBytes,
    contentType: ticket.contentType,
    contentDisposition: ticket.contentDisposition,
    cache: ticket.cache,
    secondsLeft: Math.floor((ticket.expiresAt.getTime() - now.getTime()) / 1000),
    async read(options) {
      const found = await store.read(ticket.key, options)
      if (!found) throw new RindleError('object_not_found', {})
      return found.body
    },
  }
}

const mayServe = (profiles: RindleContext['profiles'], { asset }: TicketedObject, cache: 'public' | 'private'): boolean => {
  if (!asset) return true
  if (!deliverableStates.includes(asset.state)) return false
  return cache === 'private' || profiles[asset.profile]?.delivery.public === true
}
