import { RindleError } from './errors.ts'

/** What came of JSON, as PostgreSQL takes it and gives it back. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json }

interface StorableJsonLimits {
  /** Of the JSON in UTF-8. */
  readonly maxBytes: number
  /** Objects and lists within one another: `{ a: [] }` is two deep. */
  readonly maxDepth: number
  /** Keys and list members in all. Default 10,000. */
  readonly maxMembers?: number
}

type StorableJson =
  | { readonly storable: true; readonly value: Json; readonly text: string }
  /** Why it cannot be kept, to end a sentence that begins with what was given: `is larger than 16384 bytes of JSON`. */
  | { readonly storable: false; readonly problem: string }

const replacement = '\ufffd'
/** What PostgreSQL takes neither as text nor within JSON: NUL, and halves of surrogate pairs. */
const unstorable = /[\0\p{Cs}]/u
const everyUnstorable = /[\0\p{Cs}]/gu

/** Whether PostgreSQL takes this text as it is. For what must not be changed unseen, such as ids and keys: it is refused instead. */
export const isStorableText = (text: string): boolean => !unstorable.test(text)

/**
 * Text that PostgreSQL takes: NUL and lone surrogates become U+FFFD. What is longer than `maxLength` (as `length` counts) is cut there, never
 * within a character. Doing it twice changes nothing.
 */
export const storableText = (text: string, maxLength = Infinity): string => {
  if (text.length <= maxLength) return text.replace(everyUnstorable, replacement)
  const isPairCut = maxLength > 0 && /^[\ud800-\udbff][\udc00-\udfff]$/.test(text.slice(maxLength - 1, maxLength + 1))
  return text.slice(0, isPairCut ? maxLength - 1 : maxLength).replace(everyUnstorable, replacement)
}

/**
 * Plain JSON that PostgreSQL takes, of whatever a client, a child process or the app's own code handed in; nothing of what was given is shared
 * or changed, and what its getters throw does not come out.
 *
 * Texts and keys are cleaned as by `storableText`; two keys that become one keep the later value. A bigint becomes its digits as text, a Date
 * its ISO text, and whatever else has a `toJSON` what that returns; numbers that are not finite become null. Members that JSON has no word
 * for (undefined, functions, symbols) are left out, in lists null. The keys `__proto__`, `constructor` and `prototype` are left out.
 *
 * What is too large, too deep, has too many members, contains itself or holds binary data is not kept in part: it is said to be not storable,
 * and why.
 */
export const storableJson = (value: unknown, limits: StorableJsonLimits): StorableJson => {
  const walk: Walk = { limits, members: limits.maxMembers ?? 10_000, characters: limits.maxBytes, problem: null }
  try {
    const plain = plainOf(value, walk, 0)
    if (plain === undefined) return { storable: false, problem: `is ${typeof value}, which JSON has no word for` }
    const text = JSON.stringify(plain)
    if (Buffer.byteLength(text) > limits.maxBytes) stop(walk, tooLarge(limits))
    return { storable: true, value: plain, text }
  } catch {
    return { storable: false, problem: walk.problem ?? 'could not be read' }
  }
}

/** What is left to spend on one value, so that what cannot be kept is not copied first. */
interface Walk {
  readonly limits: StorableJsonLimits
  members: number
  characters: number
  problem: string | null
}

const inertKeys = new Set(['__proto__', 'constructor', 'prototype'])
const tooLarge = ({ maxBytes }: StorableJsonLimits): string => `is larger than ${maxBytes} bytes of JSON`

/** Ends the walk; `storableJson` turns it into its answer. */
const stop = (walk: Walk, problem: string): never => {
  walk.problem = problem
  throw new RindleError('argument_invalid', { argument: 'json', problem })
}

/** @returns undefined for what JSON has no word for. */
const plainOf = (value: unknown, walk: Walk, depth: number): Json | undefined => {
  if (value === null || typeof value === 'boolean') return value
  if (typeof value === 'string') return textOf(value, walk)
  if (typeof value === 'number') return Number.isFinite(value) ? value + 0 : null
  if (typeof value === 'bigint') return textOf(String(value), walk)
  if (typeof value !== 'object') return undefined
  return depth < walk.limits.maxDepth
    ? plainOfObject(value, walk, depth + 1)
    : stop(walk, `is nested deeper than ${walk.limits.maxDepth} or contains itself`)
}

const plainOfObject = (value: object, walk: Walk, depth: number): Json | undefined => {
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return stop(walk, 'holds binary data')
  const told: unknown = 'toJSON' in value && typeof value.toJSON === 'function' ? value.toJSON('') : value
  if (typeof told !== 'object' || told === null) return plainOf(told, walk, depth)
  if (ArrayBuffer.isView(told)) return stop(walk, 'holds binary data')
  if (Array.isArray(told)) {
    spend(walk, told.length)
    return Array.from(told, (member: unknown) => plainOf(member, walk, depth) ?? null)
  }
  const keys = Object.keys(told)
  spend(walk, keys.length)
  const members = new Map<string, Json>()
  for (const key of keys) {
    if (inertKeys.has(key)) continue
    const plain = plainOf(Reflect.get(told, key), walk, depth)
    if (plain !== undefined) members.set(textOf(key, walk), plain)
  }
  return Object.fromEntries(members)
}

const spend = (walk: Walk, members: number): void => {
  walk.members -= members
  if (walk.members < 0) stop(walk, `has more than ${walk.limits.maxMembers ?? 10_000} members`)
}

const textOf = (text: string, walk: Walk): string => {
  walk.characters -= text.length
  return walk.characters < 0 ? stop(walk, tooLarge(walk.limits)) : storableText(text)
}
