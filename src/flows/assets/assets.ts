import type { RindleContext } from '../../context.ts'
import { type Asset, assetMachine, type AssetState } from '../../core/asset.ts'
import { profileNamed } from '../../core/admission.ts'
import { RindleError } from '../../core/errors.ts'
import { isId } from '../../core/ids.ts'
import { type OwnerRef, ownerOf } from '../../core/owner.ts'
import { listAssets } from '../../database/queries/assets.ts'

export interface AssetsOptions {
  /** Who opened the upload. */
  readonly owner?: OwnerRef
  readonly profile?: string
  readonly state?: AssetState | readonly AssetState[]
  /** Where the former page ended. */
  readonly cursor?: string | null
  /** 1 to 200; default 50. */
  readonly limit?: number
}

export interface AssetPage {
  readonly assets: readonly Asset[]
  /** Null on the last page. */
  readonly cursor: string | null
}

const maxLimit = 200

/**
 * Lists assets, newest first, a page at a time. Those that are being purged are not among them.
 *
 * @throws RindleError `profile_unknown`, `owner_invalid`, `argument_invalid`
 */
export async function assets(ctx: Pick<RindleContext, 'db' | 'profiles'>, options: AssetsOptions = {}): Promise<AssetPage> {
  const { limit = 50, cursor = null, profile = null } = options
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > maxLimit)
    throw invalid('limit', `it must be a whole number from 1 to ${maxLimit}`)
  if (cursor !== null && !isId(cursor)) throw invalid('cursor', 'it must be the cursor of a former page')
  if (profile !== null) profileNamed(ctx.profiles, profile)
  const found = await listAssets(ctx.db.pool, {
    owner: options.owner === undefined ? null : ownerOf(options.owner),
    profile,
    states: statesOf(options.state),
    before: cursor,
    limit: limit + 1,
  })
  const page = found.slice(0, limit)
  return { assets: page, cursor: found.length > limit ? (page.at(-1)?.id ?? null) : null }
}

const statesOf = (given: AssetsOptions['state']): readonly AssetState[] | null => {
  if (given === undefined) return null
  const states = typeof given === 'string' ? [given] : given
  for (const state of states) if (!Object.hasOwn(assetMachine.states, state)) throw invalid('state', `there is no state ${String(state)}`)
  return states
}

const invalid = (argument: string, problem: string): RindleError => new RindleError('argument_invalid', { argument, problem })
