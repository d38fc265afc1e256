import { urlTimes } from '../../core/delivery-policy.ts'
import { mountOf, trackUrl } from '../../core/object-url.ts'
import type { Profile } from '../../core/profile.ts'
import { mintTicket } from '../../core/ticket.ts'
import type { RindleContext } from '../../context.ts'

/** Who asks for the track of a strip, of which one, and for how long. */
export interface StripTrackOptions<N extends string = string> {
  /** Default: the first strip by name; few films have two. */
  readonly variant?: N
  /** Whom the profile's authorizer is asked about. */
  readonly actor?: unknown
  /** Default: what the profile says; at most a week. In a public profile it does not end. */
  readonly expiresInSeconds?: number
}

/**
 * The address at our own http door of the track of a strip of frames, wherever the strip is stored: the track is written when it is asked
 * for. It lives as long as a URL of the strip would; a public profile's is the same for everybody and for ever.
 *
 * @throws RindleError `options_invalid` when the app did not say where its http door is, `argument_invalid`
 */
export const mintTrackUrl = (
  ctx: Pick<RindleContext, 'keys' | 'baseUrl' | 'clock'>,
  profile: Profile,
  strip: { readonly assetId: string; readonly objectId: string },
  options: { readonly expiresInSeconds?: number },
): string => {
  const { issuedAt, expiresAt } = urlTimes(profile.delivery, ctx.clock.now(), options.expiresInSeconds)
  const cache = profile.delivery.public ? 'public' : 'private'
  return trackUrl(mountOf(ctx), mintTicket(ctx.keys, 'track', { ...strip, cache, issuedAt, expiresAt }))
}
