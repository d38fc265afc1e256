import type { RindleContext } from '../../context.ts'
import { RindleError } from '../../core/errors.ts'
import { isId } from '../../core/ids.ts'
import { isReleasable } from '../../core/quarantine.ts'
import { listQuarantined as listRows, type QuarantinedAsset } from '../../database/queries/quarantined.ts'

interface ListQuarantinedOptions {
  readonly profile?: string
  /** The id that the former page ended with. */
  readonly before?: string
  /** At most 1,000. Default 100. */
  readonly limit?: number
}

/** What is held back, newest first, and whether `releaseQuarantine` may let it through. @throws RindleError `argument_invalid`, `profile_unknown` */
export async function listQuarantined(
  ctx: Pick<RindleContext, 'db' | 'profiles'>,
  options: ListQuarantinedOptions = {},
): Promise<readonly (QuarantinedAsset & { readonly isReleasable: boolean })[]> {
  const { profile = null, before = null, limit = 100 } = options
  if (profile !== null && !Object.hasOwn(ctx.profiles, profile))
    throw new RindleError('profile_unknown', { profile, known: Object.keys(ctx.profiles) })
  if (before !== null && !isId(before))
    throw new RindleError('argument_invalid', { argument: 'before', problem: 'it must be the id of an asset' })
  if (!Number.isInteger(limit) || limit < 1 || limit > 1_000)
    throw new RindleError('argument_invalid', { argument: 'limit', problem: 'it must be a whole number from 1 to 1000' })
  const rows = await listRows(ctx.db.pool, { profile, before, limit })
  return rows.map((row) => ({ ...row, isReleasable: row.keptUntil !== null && isReleasable(row.code) }))
}
