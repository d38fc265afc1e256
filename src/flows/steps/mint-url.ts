import {
  type Choice,
  dispositionHeader,
  dispositionOf,
  type DispositionWish,
  publicSignature,
  urlTimes,
} from '../../core/delivery-policy.ts'
import { RindleError } from '../../core/errors.ts'
import { secondsAfter } from '../../core/patience.ts'
import { mountOf, objectUrl } from '../../core/object-url.ts'
import type { Profile } from '../../core/profile.ts'
import { mintTicket } from '../../core/ticket.ts'
import type { RindleContext } from '../../context.ts'

/** Who asks for a URL and how the file is to arrive. */
export interface UrlOptions extends DispositionWish {
  /** Whom the profile's authorizer is asked about. */
  readonly actor?: unknown
  /** Default: what the profile says; at most a week. A public URL does not end, or where it must be signed lives as long as it can. */
  readonly expiresInSeconds?: number
}

/**
 * An address for one stored object: of our own http door where the store is hosted, else of the store. A private profile's is signed
 * and ends.
 *
 * A public profile's is the same for everybody and for ever, with one exception. An unsigned address of a store carries neither
 * disposition nor filename: it leads to the bytes and the type they were stored with, which in a profile that decodes its files is one that
 * runs nothing. So what must arrive as an attachment, or under a name that was asked for, is signed there, for as long as stores sign: a
 * page that is kept longer than six days has to ask again.
 *
 * No signature outlives the credentials that made it, and a role's end within hours: such an address, public or private, may live minutes only.
 * The first one of each store that ends before its time is logged as a warning.
 *
 * @throws RindleError `delivery_unsupported`, `options_invalid` when the app did not say where its http door is, `argument_invalid`
 */
export async function mintUrl(
  ctx: Pick<RindleContext, 'stores' | 'keys' | 'baseUrl' | 'clock' | 'logger'>,
  profile: Profile,
  choice: Choice & { readonly filename: string },
  options: UrlOptions,
): Promise<string> {
  const { object } = choice
  const now = ctx.clock.now()
  const { issuedAt, expiresAt, ttlSeconds } = urlTimes(profile.delivery, now, options.expiresInSeconds)
  const contentDisposition = dispositionHeader(profile, choice, choice.filename, options)
  const store = ctx.stores.at(object.store)
  if (!store.supports('hosted')) {
    const isPublic = profile.delivery.public
    if (isPublic && !store.supports('public_url'))
      throw new RindleError('delivery_unsupported', { capability: 'public_url', store: store.id })
    if (isPublic && options.filename === undefined && dispositionOf(profile, object.contentType, options) === 'inline')
      return store.publicUrl(object.key)
    const times = isPublic ? publicSignature(now) : { at: now, ttlSeconds }
    const signed = await store.signGet(object.key, { ...times, contentType: object.contentType, contentDisposition })
    warnOfShortLife(ctx, store, { ...times, endsAt: signed.expiresAt, isPublic })
    return signed.url
  }
  const mount = mountOf(ctx)
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
  return objectUrl(mount, ticket)
}

type Store = ReturnType<RindleContext['stores']['at']>

const warned = new WeakSet<Store>()

const warnOfShortLife = (
  { logger, clock }: Pick<RindleContext, 'logger' | 'clock'>,
  store: Store,
  life: { readonly at: Date; readonly ttlSeconds: number; readonly endsAt: Date; readonly isPublic: boolean },
): void => {
  const { at, ttlSeconds, endsAt, isPublic } = life
  if (endsAt >= secondsAfter(at, ttlSeconds) || warned.has(store)) return
  warned.add(store)
  const livesSeconds = Math.floor((endsAt.getTime() - clock.now().getTime()) / 1000)
  logger.warn(
    { event: 'url_cut_short', store: store.id, public: isPublic, askedSeconds: ttlSeconds, livesSeconds },
    'The credentials that sign URLs of this store end before the URLs should, as those of a role do: sign with lasting ones, or keep no URL for longer. Said once for each store.',
  )
}
