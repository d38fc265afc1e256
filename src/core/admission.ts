import type { Owner } from './asset.ts'
import { canonicalType, contentTypeOf, extensionFits, extensionIn, extensionsOf } from './content-type.ts'
import { type ErrorCode, messageOf, RindleError } from './errors.ts'
import { normaliseFilename } from './filename.ts'
import { type OwnerRef, ownerOf } from './owner.ts'
import type { Verdict } from './ports/jail.ts'
import type { Profile, Profiles } from './profile.ts'
import { isStorableText } from './storable.ts'

/** What the caller says about a file before its bytes are there. */
export interface UploadWish {
  readonly filename: string
  readonly byteSize?: number | undefined
  /** Default: what the extension stands for. */
  readonly contentType?: string | undefined
  /** Hex. Bound into the ticket and held against the bytes. */
  readonly sha256?: string | undefined
  readonly owner?: OwnerRef | undefined
  /** Makes a repeated call return the first session. Needs an owner. */
  readonly idempotencyKey?: string | undefined
}

/** The same, normalised and found acceptable to the profile. */
export interface Declaration {
  readonly filename: string
  readonly byteSize: number | null
  readonly contentType: string
  readonly sha256: string | null
  readonly owner: Owner | null
  readonly idempotencyKey: string | null
}

/** @throws RindleError `profile_unknown` */
export const profileNamed = (profiles: Profiles, name: string): Profile => {
  const profile = Object.hasOwn(profiles, name) ? profiles[name] : undefined
  if (!profile) throw new RindleError('profile_unknown', { profile: String(name), known: Object.keys(profiles) })
  return profile
}

/**
 * Says no to everything that can be known before the bytes. What only the bytes tell is the gate's to say.
 *
 * @throws RindleError `argument_invalid`, `owner_invalid`, `upload_too_large`, `extension_missing`, `upload_extension_not_allowed`,
 * `upload_type_not_allowed`
 */
export const judgeDeclaration = (profile: Profile, wish: UploadWish): Declaration => {
  const owner = wish.owner === undefined ? null : ownerOf(wish.owner)
  if (typeof wish.filename !== 'string' || wish.filename === '') refuse('filename', 'the name of the file is required')
  const filename = normaliseFilename(wish.filename)
  const extension = judgeExtension(profile, filename)
  return {
    filename,
    byteSize: judgeByteSize(profile, wish.byteSize),
    contentType: judgeType(profile, extension, wish.contentType),
    sha256: judgeSha256(wish.sha256),
    owner,
    idempotencyKey: judgeKey(wish.idempotencyKey, owner),
  }
}

/** True when an idempotency key that comes again declares the same file. */
export const sameDeclaration = (
  first: {
    readonly session: { readonly declaredBytes: number | null; readonly declaredType: string; readonly declaredSha256: string | null }
    readonly asset: { readonly filename: string }
  },
  again: Declaration,
): boolean =>
  first.session.declaredBytes === again.byteSize &&
  first.session.declaredType === again.contentType &&
  first.session.declaredSha256 === again.sha256 &&
  first.asset.filename === again.filename

export type Refusal = Extract<Verdict, { verdict: 'refuse' }>

/** What length and checksum of the sealed bytes say, before anything looks into them; null when they may go on. */
export const judgeBytes = (
  profile: Profile,
  bytes: { readonly byteSize: number; readonly sha256: string },
  declaredSha256: string | null,
): Refusal | null => {
  if (declaredSha256 !== null && declaredSha256 !== bytes.sha256) return refusal('upload_checksum_mismatch', {})
  if (bytes.byteSize === 0) return refusal('file_empty', {})
  if (bytes.byteSize > profile.maxBytes) return refusal('max_bytes_exceeded', { maxBytes: profile.maxBytes, actualBytes: bytes.byteSize })
  return null
}

/** A verdict in the words of the catalogue. */
export const refusal = <C extends ErrorCode>(code: C, details: Parameters<typeof messageOf<C>>[1]): Refusal => ({
  verdict: 'refuse',
  code,
  message: messageOf(code, details),
  details,
})

const judgeExtension = (profile: Profile, filename: string): string => {
  const extension = extensionIn(filename)
  if (extension === null) throw new RindleError('extension_missing', {})
  const allowed = profile.allowExtensions ?? profile.allowMime.flatMap((type) => extensionsOf(type))
  const everyTypeHasOne = profile.allowMime.every((type) => extensionsOf(type).length > 0)
  if ((profile.allowExtensions !== null || everyTypeHasOne) && !allowed.includes(extension))
    throw new RindleError('upload_extension_not_allowed', { extension, allowed })
  return extension
}

const judgeByteSize = (profile: Profile, byteSize: unknown): number | null => {
  if (byteSize === undefined || byteSize === null) return null
  if (typeof byteSize !== 'number' || !Number.isSafeInteger(byteSize) || byteSize < 0)
    return refuse('byteSize', 'it must be a whole number of bytes')
  if (byteSize > profile.maxBytes) throw new RindleError('upload_too_large', { maxBytes: profile.maxBytes, actualBytes: byteSize })
  return byteSize
}

const judgeType = (profile: Profile, extension: string, given: unknown): string => {
  if (given !== undefined && (typeof given !== 'string' || given === ''))
    refuse('contentType', 'it must be a content type such as image/jpeg')
  const meant = profile.allowMime.find((type) => extensionFits(extension, type)) ?? contentTypeOf(extension) ?? 'application/octet-stream'
  const contentType = typeof given === 'string' ? canonicalType(given) : meant
  if (!profile.allowMime.includes(contentType))
    throw new RindleError('upload_type_not_allowed', { contentType, allowed: profile.allowMime })
  return contentType
}

const judgeSha256 = (sha256: unknown): string | null => {
  if (sha256 === undefined || sha256 === null) return null
  if (typeof sha256 !== 'string' || !/^[0-9a-f]{64}$/i.test(sha256)) return refuse('sha256', 'it must be 64 hexadecimal digits')
  return sha256.toLowerCase()
}

const maxIdempotencyKeyCharacters = 255
const controlCharacter = /\p{Cc}/u

const judgeKey = (key: unknown, owner: Owner | null): string | null => {
  if (key === undefined || key === null) return null
  const isText = typeof key === 'string' && !controlCharacter.test(key) && isStorableText(key)
  if (!isText || key === '' || key.length > maxIdempotencyKeyCharacters)
    return refuse('idempotencyKey', `it must be text of 1 to ${maxIdempotencyKeyCharacters} characters, none of them a control character`)
  if (owner === null) return refuse('idempotencyKey', 'it needs an owner, so that two people may use the same key')
  return key
}

const refuse = (argument: string, problem: string): never => {
  throw new RindleError('argument_invalid', { argument, problem })
}
