import type { Asset } from '../asset.ts'

/** Says who may have a URL. Runs before any URL is minted, for public profiles too. */
export interface Authorizer {
  authorize(request: {
    readonly actor: unknown
    readonly action: 'asset.deliver'
    readonly subject: { readonly asset: Asset }
  }): Promise<boolean> | boolean
}
