import { type Asset, deliverableStates, gateStates } from './asset.ts'
import { browserDrawableTypes, canonicalType, extensionOf, inertTypes } from './content-type.ts'
import { RindleError } from './errors.ts'
import { contentDisposition } from './filename.ts'
import type { DeliveryPolicy, Profile } from './profile.ts'
import type { Variant } from './variant.ts'

/** Stored bytes that may be handed to someone. */
export interface ServedObject {
  readonly id: string
  readonly store: string
  readonly key: string
  readonly contentType: string
  readonly byteSize: number | null
}

interface ServedVariant {
  readonly variant: Variant
  readonly object: ServedObject | null
}

/** An asset with everything that could be served of it. */
export interface ServedAsset {
  readonly asset: Asset
  readonly original: ServedObject | null
  readonly variants: readonly ServedVariant[]
}

type Disposition = 'inline' | 'attachment'

/** How the file is to arrive at whoever opens the URL. */
export interface DispositionWish {
  /** Inline unless asked otherwise, and only where opening the type runs nothing. */
  readonly disposition?: Disposition
  /** Default: the name the file was uploaded under. */
  readonly filename?: string
}

/** What a URL leads to. `name` is the variant's, null for the original. */
export interface Choice {
  readonly name: string | null
  readonly object: ServedObject
}

/** Null while there is no URL of anything: in the gate, quarantined, deleted, or its bytes are gone. */
export const chooseOriginal = ({ asset, original }: ServedAsset): Choice | null =>
  deliverableStates.includes(asset.state) && original ? { name: null, object: original } : null

/** A variant is served whenever it has an object, also an old one whose successor is being made. Null: there is none. */
export const chooseVariant = ({ asset, variants }: ServedAsset, name: string): Choice | null => {
  if (!deliverableStates.includes(asset.state)) return null
  const served = variants.find(({ variant }) => variant.name === name)
  if (!served?.object || served.variant.state === 'missing' || served.variant.state === 'purged') return null
  return { name, object: served.object }
}

/** The variant, or instead of it the original where browsers draw its type. */
export const chooseVariantOrOriginal = (served: ServedAsset, name: string): Choice | null => {
  const variant = chooseVariant(served, name)
  if (variant) return variant
  const original = chooseOriginal(served)
  return original && isDrawable(original.object.contentType) ? original : null
}

export const isDrawable = (contentType: string): boolean => browserDrawableTypes.has(canonicalType(contentType))

/** Why there is no URL. Retryable while the gate has not spoken, or the variant is still being made. */
export const notAvailable = ({ asset, variants }: ServedAsset, name: string | null): RindleError => {
  const { id: assetId, state } = asset
  if (name === null || !deliverableStates.includes(state))
    return new RindleError('asset_not_available', { assetId, state, inGate: gateStates.includes(state) })
  const variant = variants.find((one) => one.variant.name === name)?.variant
  return new RindleError('variant_not_available', { assetId, variant: name, state: variant?.state ?? 'planned' })
}

/** Inline only when nobody asked otherwise and opening the type runs nothing; files of `kind: 'file'` profiles never. */
export const dispositionOf = (profile: Pick<Profile, 'kind'> | null, contentType: string, wish: DispositionWish): Disposition =>
  profile?.kind !== 'file' && wish.disposition !== 'attachment' && inertTypes.has(canonicalType(contentType)) ? 'inline' : 'attachment'

/** The Content-Disposition header that travels with the URL. A variant's name gets the variant's own extension. */
export const dispositionHeader = (profile: Pick<Profile, 'kind'> | null, choice: Choice, filename: string, wish: DispositionWish): string =>
  contentDisposition(
    dispositionOf(profile, choice.object.contentType, wish),
    wish.filename ?? (choice.name === null ? filename : variantFilename(filename, choice.name, choice.object.contentType)),
  )

/** `me.jpg`, thumb, image/webp → `me-thumb.webp`. */
const variantFilename = (filename: string, name: string, contentType: string): string => {
  const dot = filename.lastIndexOf('.')
  const extension = extensionOf(contentType)
  return `${dot > 0 ? filename.slice(0, dot) : filename}-${name}${extension === null ? '' : `.${extension}`}`
}

/** Between these two stands every public ticket: equal claims make equal URLs, so that caches keep working. */
const publicTicketTimes = { issuedAt: new Date(0), expiresAt: new Date(8_640_000_000_000_000) } as const

const weekSeconds = 604_800

/** When a URL minted at `now` ends: after the profile's time, or the wished one. */
export const urlTimes = (
  policy: DeliveryPolicy,
  now: Date,
  wishedSeconds?: number,
): { issuedAt: Date; expiresAt: Date; ttlSeconds: number } => {
  const ttlSeconds = wishedSeconds ?? policy.signedUrlTtlSeconds
  if (!Number.isSafeInteger(ttlSeconds) || ttlSeconds < 1 || ttlSeconds > weekSeconds)
    throw new RindleError('argument_invalid', {
      argument: 'expiresInSeconds',
      problem: `it is not a whole number of seconds from 1 to ${weekSeconds}`,
    })
  if (policy.public) return { ...publicTicketTimes, ttlSeconds }
  return { issuedAt: now, expiresAt: new Date(now.getTime() + ttlSeconds * 1000), ttlSeconds }
}

/**
 * How a public profile's file is signed where it cannot do without: for the longest time there is, counted from the day's beginning, so that
 * everybody gets the same URL all day long and caches keep working. It lives six days at least, unless the credentials that sign it end before.
 */
export const publicSignature = (now: Date): { readonly at: Date; readonly ttlSeconds: number } => ({
  at: new Date(now.getTime() - (now.getTime() % 86_400_000)),
  ttlSeconds: weekSeconds,
})
