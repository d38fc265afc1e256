import { RindleError } from '../../core/errors.ts'
import { chooseStripOf } from '../../core/strip-choice.ts'
import { thumbnailTrack } from '../../core/thumbnail-track.ts'
import { openTicket } from '../../core/ticket.ts'
import type { RindleContext } from '../../context.ts'
import { findServedAsset } from '../steps/find-served-asset.ts'
import { mintUrl } from '../steps/mint-url.ts'

/** A track that a ticket opened. */
export interface OpenedTrack {
  readonly text: string
  /** `public`: anybody may keep it for ever. */
  readonly cache: 'public' | 'private'
  /** How long the ticket still lives. */
  readonly secondsLeft: number
}

/**
 * Writes the track that a ticket names, if its strip may still be served, as `openObject` has it. The strip's URL in it ends when the ticket
 * does.
 *
 * @throws RindleError `ticket_invalid`, `ticket_expired`, `object_not_found`, `delivery_unsupported`
 */
export async function openStripTrack(
  ctx: Pick<RindleContext, 'db' | 'stores' | 'profiles' | 'keys' | 'baseUrl' | 'clock' | 'logger'>,
  token: string,
): Promise<OpenedTrack> {
  const now = ctx.clock.now()
  const { assetId, objectId, cache, expiresAt } = openTicket(ctx.keys, 'track', token, now)
  const served = await findServedAsset(ctx, assetId)
  const strip = served && chooseStripOf(served, objectId)
  const profile = served && ctx.profiles[served.asset.profile]
  if (!strip || !profile || (cache === 'public' && !profile.delivery.public)) throw new RindleError('object_not_found', {})
  const secondsLeft = Math.floor((expiresAt.getTime() - now.getTime()) / 1000)
  const life = cache === 'public' ? {} : { expiresInSeconds: Math.max(1, secondsLeft) }
  const url = await mintUrl(ctx, profile, { ...strip, filename: served.asset.filename }, life)
  return { text: thumbnailTrack(strip.grid, strip.durationMs, url), cache, secondsLeft }
}
