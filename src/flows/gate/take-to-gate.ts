import type { RindleContext } from '../../context.ts'
import { extensionOf } from '../../core/content-type.ts'
import { sealedKey } from '../../core/object-key.ts'
import { secondsAfter } from '../../core/patience.ts'
import type { Profiles } from '../../core/profile.ts'
import { claimAsset, type GateClaim } from '../../database/queries/gate-claim.ts'

/** Claims an asset for the gate, with a fresh sealed key. Null when there is nothing to take, or nobody here knows its profile. */
export const takeToGate = (
  ctx: Pick<RindleContext, 'db' | 'queue' | 'clock' | 'ids' | 'profiles' | 'host' | 'leaseSeconds'>,
  assetId: string,
): Promise<GateClaim | null> => {
  const objectId = ctx.ids.next()
  return claimAsset(ctx.db.pool, ctx, {
    assetId,
    profiles: Object.fromEntries(Object.entries(ctx.profiles).map(([name, profile]) => [name, Object.keys(profile.variants)])),
    object: { id: objectId, key: sealedKey(assetId, objectId, null) },
    extensions: extensionsOfProfiles(ctx.profiles),
    runId: ctx.ids.next(),
    worker: ctx.host.workerName,
    leaseUntil: secondsAfter(ctx.clock.now(), ctx.leaseSeconds),
  })
}

const extensionsOfProfiles = (profiles: Profiles): Record<string, string> =>
  Object.fromEntries(
    Object.values(profiles).flatMap(({ allowMime }) =>
      allowMime.flatMap((type) => (extensionOf(type) === null ? [] : [[type, extensionOf(type) ?? '']])),
    ),
  )
