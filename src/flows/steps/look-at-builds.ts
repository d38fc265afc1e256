import type { RindleContext } from '../../context.ts'
import { RindleError } from '../../core/errors.ts'
import type { Queryable } from '../../database/database.ts'
import { type BuildLook, findBuild } from '../../database/queries/builds.ts'
import { lockAsset } from '../../database/queries/purge.ts'

/** Locks an asset, then looks at it with all its variants. @throws RindleError `asset_not_found` when it is not there, or is going. */
export async function lookAtBuilds(ctx: Pick<RindleContext, 'clock'>, tx: Queryable, assetId: string): Promise<BuildLook> {
  await lockAsset(tx, assetId, 'settle')
  const look = await findBuild(tx, assetId, ctx.clock.now())
  if (!look || look.asset.state === 'deleted') throw new RindleError('asset_not_found', { assetId })
  return look
}
