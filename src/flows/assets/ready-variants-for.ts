import type { RindleContext } from '../../context.ts'
import type { Variant } from '../../core/variant.ts'
import { listReadyVariants } from '../../database/queries/attachments.ts'
import { assetIdOf } from '../steps/asset-id-of.ts'

/** Lists those variants of an asset that are ready, by name. */
export const readyVariantsFor = async (ctx: Pick<RindleContext, 'db'>, asset: string | { readonly id: string }): Promise<Variant[]> =>
  listReadyVariants(ctx.db.pool, assetIdOf(asset))
