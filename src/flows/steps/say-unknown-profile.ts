import type { RindleContext } from '../../context.ts'
import { findAsset } from '../../database/queries/assets.ts'

/** By what a worker knows, what it has said already. */
const said = new WeakMap<RindleContext['profiles'], Set<string>>()

/** Says, once for each, that an asset waits because this worker does not know its profile. Nothing when it waits for something else. */
export async function sayUnknownProfile(ctx: Pick<RindleContext, 'db' | 'profiles' | 'logger'>, assetId: string): Promise<void> {
  const asset = await findAsset(ctx.db.pool, assetId)
  if (!asset || Object.hasOwn(ctx.profiles, asset.profile)) return
  const known = said.get(ctx.profiles) ?? new Set()
  said.set(ctx.profiles, known)
  if (known.has(asset.profile)) return
  known.add(asset.profile)
  ctx.logger.warn(
    { event: 'profile_unknown', profile: asset.profile, asset: assetId },
    'Assets of a profile that this worker does not know wait for one that does: define it, or deploy workers and app together.',
  )
}
