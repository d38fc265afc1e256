import { createSecretKey, hkdfSync, type KeyObject } from 'node:crypto'
import { RindleError } from './errors.ts'
import { type Secret, secret } from './redact.ts'

/** Keys derived from the app's secrets, one for each secret and purpose, so that nothing made for one purpose passes for another. */
export interface KeyRing {
  /** Newest first: make with the first, accept what any of them made. The key objects do not print their bytes. */
  keysFor(purpose: string): readonly [KeyObject, ...KeyObject[]]
}

const minSecretBytes = 32
const minDistinctCharacters = 5

/**
 * Keys from the app's secrets, newest first: put a new one in front to rotate, and drop the old one once nothing made with it
 * is in use.
 *
 * @throws RindleError `options_invalid` with every problem of the secrets.
 */
export const createKeyRing = (secrets: readonly string[]): KeyRing => {
  const problems = problemsOfSecrets(secrets)
  if (problems.length > 0) throw new RindleError('options_invalid', { problems })
  const [newest, ...older] = secrets.map(secret)
  if (!newest) throw new RindleError('options_invalid', { problems: problemsOfSecrets([]) })

  const derived = new Map<string, readonly [KeyObject, ...KeyObject[]]>()
  const keysFor = (purpose: string): readonly [KeyObject, ...KeyObject[]] => {
    const known = derived.get(purpose)
    if (known) return known
    const keys = [derive(newest, purpose), ...older.map((one) => derive(one, purpose))] as const
    derived.set(purpose, keys)
    return keys
  }
  return Object.freeze({ keysFor })
}

/** What is wrong with the secrets, in words that never hold any part of them. */
export const problemsOfSecrets = (secrets: readonly unknown[]): string[] => {
  if (secrets.length === 0) return [`secrets: give at least one; ${howToMakeOne}`]
  return secrets.flatMap((one, index) => {
    const problem = problemOfSecret(one)
    return problem ? [`secrets[${index}] ${problem}; ${howToMakeOne}`] : []
  })
}

const howToMakeOne = `make one with: openssl rand -base64 ${minSecretBytes}`

const problemOfSecret = (one: unknown): string | null => {
  if (typeof one !== 'string') return `is ${one === null ? 'null' : typeof one}, not text`
  const bytes = new TextEncoder().encode(one).byteLength
  if (bytes < minSecretBytes) return `has ${bytes} bytes, fewer than ${minSecretBytes}`
  if (new Set(one).size < minDistinctCharacters) return 'repeats the same few characters'
  return null
}

/** @see RFC 5869 */
const derive = (from: Secret<string>, purpose: string): KeyObject =>
  createSecretKey(new Uint8Array(hkdfSync('sha256', from.reveal(), 'rindle', purpose, 32)))
