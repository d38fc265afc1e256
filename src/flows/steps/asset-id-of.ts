import { RindleError } from '../../core/errors.ts'
import { isId } from '../../core/ids.ts'

/** @throws RindleError `asset_not_found` for what cannot be the id of one. */
export const assetIdOf = (asset: string | { readonly id: string }): string => {
  const id = typeof asset === 'string' ? asset : asset.id
  if (!isId(id)) throw new RindleError('asset_not_found', { assetId: String(id) })
  return id.toLowerCase()
}
