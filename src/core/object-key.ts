import { RindleError } from './errors.ts'
import { isStorableText } from './storable.ts'

/** The first part of a key says whose it is, so that lifecycle rules and access policies of a bucket can speak of it. */
type KeyRole = 'staging' | 'sealed' | 'variants' | 'unmanaged'

const roles: readonly KeyRole[] = ['staging', 'sealed', 'variants', 'unmanaged']
const maxKeyBytes = 1024
const maxSegmentBytes = 255

/** Parts that begin so belong to adapters that keep objects as files: their unfinished writes lie there. */
export const unfinishedPrefix = '.rindle-part-'

const libraryKey = /^[A-Za-z0-9._-]+(?:\/[A-Za-z0-9._-]+)*$/
/** What the library's own keys look like: nothing about one can be wrong. */
const ordinaryKey = /^(?:staging|sealed|variants)(?:\/[A-Za-z0-9][A-Za-z0-9._-]{0,127}){1,4}$/
const id = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}'
const ending = '(?:\\.[A-Za-z0-9._-]{1,32})?'
/** Exactly what the three functions below make; the last id is the object's. */
const ownKey = new RegExp(
  `^(?:staging/${id}/(${id})|sealed/${id}/(${id})${ending}|variants/${id}/[A-Za-z][A-Za-z0-9_-]{0,62}/(${id})${ending})$`,
)
const controlCharacter = /\p{Cc}/u
const bytesOf = (text: string): number => new TextEncoder().encode(text).byteLength

/** Where a client may write: a fresh key for every attempt of a session. */
export const stagingKey = (sessionId: string, objectId: string): string => normaliseKey(`staging/${sessionId}/${objectId}`)

/** Where verified bytes lie: no client is ever given a ticket that writes there. `extension` without its dot, null for none. */
export const sealedKey = (assetId: string, objectId: string, extension: string | null): string =>
  normaliseKey(`sealed/${assetId}/${objectId}${suffix(extension)}`)

/** Where one attempt at the variant `name` puts its bytes. */
export const variantKey = (assetId: string, name: string, objectId: string, extension: string | null): string =>
  normaliseKey(`variants/${assetId}/${name}/${objectId}${suffix(extension)}`)

/**
 * The key, normalised, when the app may write it itself.
 *
 * @throws RindleError `object_key_reserved` unless it lies below `unmanaged/`; `object_key_invalid`.
 */
export const unmanagedKey = (key: string): string => {
  const normalised = normaliseKey(key)
  if (roleOfKey(normalised) !== 'unmanaged') throw new RindleError('object_key_reserved', { key: normalised })
  return normalised
}

/** Where this library keeps what it makes. */
export const ownRoles = ['staging', 'sealed', 'variants'] as const satisfies readonly KeyRole[]

/** The id of the object that a key was made for; null unless it is one that only this library makes, so that nobody else's can be meant. */
export const objectIdOfKey = (key: string): string | null => ownKey.exec(key)?.slice(1).find(Boolean) ?? null

/** The id of the asset that a sealed file or a variant belongs to, from its key; null for any other key. */
export const assetIdOfKey = (key: string): string | null =>
  objectIdOfKey(key) === null ? null : (/^(?:sealed|variants)\/([^/]+)\//.exec(key)?.[1] ?? null)

/** Whose a key is; null when it lies below none of the library's folders. */
export const roleOfKey = (key: string): KeyRole | null => roles.find((role) => key.startsWith(`${role}/`)) ?? null

/**
 * The one spelling of a key that adapters see: Unicode in NFC.
 *
 * @throws RindleError `object_key_invalid` for what could mean two things, or leave its folder, on any backend.
 */
export const normaliseKey = (key: string): string => {
  const normalised = key.length <= maxKeyBytes ? key.normalize('NFC') : key
  const problem = problemOfKey(normalised)
  if (problem) throw new RindleError('object_key_invalid', { problem })
  return normalised
}

/** Why adapters would not be given this key; null when they would. */
export const problemOfKey = (key: string): string | null => {
  if (ordinaryKey.test(key)) return null
  if (key === '') return 'it is empty'
  if (key.length > maxKeyBytes || bytesOf(key) > maxKeyBytes) return `it is longer than ${maxKeyBytes} bytes`
  if (key !== key.normalize('NFC')) return 'it is not in Unicode normal form C'
  if (controlCharacter.test(key)) return 'it holds a control character'
  if (!isStorableText(key)) return 'it is not well-formed Unicode'
  if (key.includes('\\')) return 'it holds a backslash'
  if (key.startsWith('/')) return 'it begins with a slash'
  if (roleOfKey(key) !== 'unmanaged' && !libraryKey.test(key))
    return 'outside unmanaged/ it may hold only A-Z a-z 0-9 . _ - and single slashes'
  return problemOfSegments(key.split('/'))
}

const problemOfSegments = (segments: readonly string[]): string | null => {
  for (const segment of segments) {
    if (segment === '') return 'it has an empty part between slashes, or ends with one'
    if (segment === '.' || segment === '..') return `it has ${segment} as a part`
    if (bytesOf(segment) > maxSegmentBytes) return `one of its parts is longer than ${maxSegmentBytes} bytes`
    if (segment.startsWith(unfinishedPrefix)) return `parts that begin with ${unfinishedPrefix} are kept for unfinished writes`
  }
  return null
}

const suffix = (extension: string | null): string => (extension === null || extension === '' ? '' : `.${extension}`)
