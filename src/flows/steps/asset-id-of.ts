import { RindleError } from '../../core/errors.ts'

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** @throws RindleError `asset_not_found` for what cannot be the id of one. */
export const assetIdOf = (asset: string | { readonly id: string }): string => {
  const id = typeof asset === 'string' ? asset : asset.id
  if (typeof id !== 'string' || !uuid.test(id)) throw new RindleError('asset_not_found', { assetId: String(id) })
  return id.toLowerCase()
}
