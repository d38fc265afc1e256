import type { RindleContext } from '../../context.ts'
import { mountOf, objectUrl } from '../../core/object-url.ts'
import type { SignedRequest } from '../../core/ports/storage.ts'
import { mintTicket, type PutTicket } from '../../core/ticket.ts'

type Context = Pick<RindleContext, 'stores' | 'keys' | 'baseUrl'>

/**
 * One PUT of so many bytes of a type to a key that has nothing yet: at our own http door where the store is hosted, else signed for the
 * store's. A signed one lives a second at least.
 *
 * @throws RindleError `options_invalid` when the app did not say where its http door is
 */
export async function putTicket(ctx: Context, ticket: Omit<PutTicket, 'createOnly'>): Promise<SignedRequest> {
  const { contentType, sizeBytes, sha256, issuedAt, expiresAt } = ticket
  const store = ctx.stores.at(ticket.store)
  if (!store.supports('hosted')) {
    const ttlSeconds = Math.max(1, Math.floor((expiresAt.getTime() - issuedAt.getTime()) / 1000))
    return store.signPut(ticket.key, { at: issuedAt, ttlSeconds, contentType, sizeBytes, ...(sha256 === null ? {} : { sha256 }) })
  }
  const url = objectUrl(mountOf(ctx), mintTicket(ctx.keys, 'put', { ...ticket, createOnly: true }))
  return { url, method: 'PUT', headers: { 'content-type': contentType }, expiresAt }
}
