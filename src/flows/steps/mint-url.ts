import { type Choice, dispositionHeader, type DispositionWish, urlTimes } from '../../core/delivery-policy.ts'
import { RindleError } from '../../core/errors.ts'
import type { Profile } from '../../core/profile.ts'
import { mintTicket } from '../../core/ticket.ts'
import type { RindleContext } from '../../context.ts'

/** Who asks for a URL and how the file is to arrive. */
export interface UrlOptions extends DispositionWish {
  /** Whom the profile's authorizer is asked about. */
  readonly actor?: unknown
  /** Default: what the profile says; at most a week. Public URLs do not end. */
  readonly expiresInSeconds?: number
}

/**
 * An address for one stored object: of our own http door where the store is hosted, else signed by the store. A public profile's is
 * the same for everybody and for ever; a private one's ends.
 *
 * @throws RindleError `delivery_unsupported`, `options_invalid` when the app did not say where its http door is, `argument_invalid`
 */
export async function mintUrl(
  ctx: Pick<RindleContext, 'stores' | 'keys' | 'baseUrl' | 'clock'>,
  profile: Profile,
  choice: Choice & { readonly filename: string },
  options: UrlOptions,
): Promise<string> {
  const { object } = choice
  const { issuedAt, expiresAt, ttlSeconds } = urlTimes(profile.delivery, ctx.clock.now(), options.expiresInSeconds)
  const contentDisposition = dispositionHeader(profile, choice, choice.filename, options)
  const store = ctx.stores.at(object.store)
  if (!store.supports('hosted')) {
    if (profile.delivery.public) throw new RindleError('delivery_unsupported', { capability: 'public delivery', store: store.id })
    const signed = await store.signGet(object.key, { at: ctx.clock.now(), ttlSeconds, contentType: object.contentType, contentDisposition })
    return signed.url
  }
  if (ctx.baseUrl === null) throw new RindleError('options_invalid', { problems: [missingBaseUrl] })
  const ticket = mintTicket(ctx.keys, 'get', {
    store: object.store,
    key: object.key,
    objectId: object.id,
    contentType: object.contentType,
    contentDisposition,
    cache: profile.delivery.public ? 'public' : 'private',
    issuedAt,
    expiresAt,
  })
  return `${ctx.baseUrl}/objects/${ticket}`
}

const missingBaseUrl =
  "baseUrl is missing, and files of this store are served by the http door: createRindle({ baseUrl: 'https://…' }) says where it is mounted"
