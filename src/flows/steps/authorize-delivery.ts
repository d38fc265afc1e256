import { profileNamed } from '../../core/admission.ts'
import type { Asset } from '../../core/asset.ts'
import { RindleError } from '../../core/errors.ts'
import type { Profile } from '../../core/profile.ts'
import type { RindleContext } from '../../context.ts'

/**
 * Asks the profile's authorizer, where there is one, whether `actor` may have URLs of this asset. Public profiles are asked as well.
 *
 * @returns the asset's own profile.
 * @throws RindleError `not_authorized`, `profile_unknown`
 */
export async function authorizeDelivery(ctx: Pick<RindleContext, 'profiles'>, asset: Asset, actor: unknown): Promise<Profile> {
  const profile = profileNamed(ctx.profiles, asset.profile)
  const { authorizer } = profile.delivery
  const allowed = authorizer ? await authorizer.authorize({ actor: actor ?? null, action: 'asset.deliver', subject: { asset } }) : true
  if (allowed !== true) throw new RindleError('not_authorized', { action: 'asset.deliver' })
  return profile
}
