import type { Owner } from './asset.ts'
import { RindleError } from './errors.ts'
import { isId } from './ids.ts'
import { isStorableText } from './storable.ts'

/** An owner as the app has it: its own name for the kind of row, and that row's id. */
export interface OwnerRef {
  readonly type: string
  readonly id: string | number | bigint
}

const controlCharacter = /\p{Cc}/u
const maxLength = 255

/**
 * The one spelling of an owner, so that `7`, `7n` and `'7'` are the same row, and a uuid in capitals the same as in small letters.
 *
 * @throws RindleError `owner_invalid`
 */
export const ownerOf = (owner: OwnerRef): Owner => {
  const given: unknown = owner
  if (typeof given !== 'object' || given === null)
    throw new RindleError('owner_invalid', { problem: `${given === null ? 'null' : typeof given} was given` })
  const { type, id } = owner
  const problem = problemOfText('type', type) ?? problemOfId(id)
  if (problem) throw new RindleError('owner_invalid', { problem })
  const text = String(id)
  return { type, id: isId(text) ? text.toLowerCase() : text }
}

const problemOfId = (id: unknown): string | null => {
  if (typeof id === 'bigint') return null
  if (typeof id === 'number')
    return Number.isSafeInteger(id) ? null : `the id ${id} is not a whole number below 2^53; pass a bigint or a string`
  return problemOfText('id', id)
}

const problemOfText = (what: string, text: unknown): string | null => {
  if (typeof text !== 'string') return `${what} is ${text === null ? 'null' : typeof text}`
  if (text === '') return `${what} is empty`
  if (text.length > maxLength) return `${what} is longer than ${maxLength} characters`
  if (controlCharacter.test(text)) return `${what} holds a control character`
  if (!isStorableText(text)) return `${what} is not well-formed Unicode`
  return null
}
