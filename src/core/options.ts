import { isRindleError, RindleError } from './errors.ts'
import { problemsOfSecrets } from './key-ring.ts'
import { longestLeaseSeconds } from './patience.ts'
import { isRecord, isWhole } from './shape.ts'
import { suggestion, unknownKeys } from './suggestion.ts'

const optionNames = [
  'profiles',
  'slots',
  'database',
  'secrets',
  'baseUrl',
  'stores',
  'logger',
  'leaseSeconds',
  'scratchFolder',
  'jail',
  'maxDecodeBytes',
]
/** What the smallest pictures may take, so that some can be opened at all. */
const leastDecodeBytes = 64 * 1024 * 1024
const name = /^[a-z][a-z0-9_-]{0,62}$/i
const nameRule = 'names begin with a letter and go on with letters, digits, - and _, at most 63'

/** What is wrong with the options of `createRindle`, all of it; whatever a program that was not type checked may have handed in. */
const problemsOfOptions = (options: unknown): string[] => {
  if (!isRecord(options)) return ['createRindle takes an object of options']
  const { profiles, slots, database, secrets, baseUrl, stores, logger, leaseSeconds, scratchFolder, jail, maxDecodeBytes } = options
  return [
    ...unknownKeys(options, optionNames, ''),
    ...problemsOfProfiles(profiles),
    ...problemsOfSlots(slots, isRecord(profiles) ? Object.keys(profiles) : []),
    ...(!isGiven(database) ? ['database is missing: pass pglite(directory), the address of a PostgreSQL server, or a pg Pool'] : []),
    ...(Array.isArray(secrets) ? problemsOfSecrets(secrets) : ['secrets must be a list, newest first']),
    ...(baseUrl === undefined ? [] : problemsOfBaseUrl(baseUrl)),
    ...(stores === undefined || (Array.isArray(stores) && stores.every(isStore)) ? [] : ['stores must list storage adapters']),
    ...(logger === undefined || isLogger(logger) ? [] : ['logger must have debug, info, warn and error, each (object, message)']),
    ...(leaseSeconds === undefined || isWhole(leaseSeconds, 10, longestLeaseSeconds)
      ? []
      : [`leaseSeconds must be a whole number from 10 to ${longestLeaseSeconds}`]),
    ...(scratchFolder === undefined || (typeof scratchFolder === 'string' && scratchFolder !== '')
      ? []
      : ['scratchFolder must be the path of a folder']),
    ...(jail === undefined || jail === 'prefer' || jail === 'require' ? [] : ["jail must be 'prefer' or 'require'"]),
    ...(maxDecodeBytes === undefined || isWhole(maxDecodeBytes, leastDecodeBytes)
      ? []
      : [`maxDecodeBytes must be a whole number of bytes, ${leastDecodeBytes} or more`]),
  ]
}

/**
 * Makes every part, or says everything that is wrong: with the options as a whole, then with each part that refuses its own.
 *
 * @throws RindleError `options_invalid`
 */
export const madeOrRefused = <D, S>(
  options: unknown,
  makeDatabase: () => D,
  makeStores: () => S,
): { readonly db: D; readonly stores: S } => {
  const problems = problemsOfOptions(options)
  const attempt = <T>(make: () => T): T | null => {
    try {
      return make()
    } catch (err) {
      if (!isRindleError(err) || err.code !== 'options_invalid') throw err
      problems.push(...err.details.problems)
      return null
    }
  }
  const shapeIsRight = problems.length === 0
  const db = isRecord(options) && isGiven(options['database']) ? attempt(makeDatabase) : null
  const stores = shapeIsRight ? attempt(makeStores) : null
  if (problems.length > 0 || db === null || stores === null) throw new RindleError('options_invalid', { problems })
  return { db, stores }
}

const isGiven = (value: unknown): boolean => value !== undefined && value !== null

const problemsOfProfiles = (profiles: unknown): string[] => {
  if (!isRecord(profiles) || Object.keys(profiles).length === 0)
    return ['profiles must name at least one: { avatar: defineProfile({ … }) }']
  return Object.entries(profiles).flatMap(([key, profile]) => {
    const problems = name.test(key) ? [] : [`profiles.${key}: ${nameRule}`]
    const defined = isRecord(profile) && isRecord(profile['digests']) && isRecord(profile['delivery']) && Object.isFrozen(profile)
    return defined ? problems : [...problems, `profiles.${key} must come from defineProfile({ … })`]
  })
}

const problemsOfSlots = (slots: unknown, profiles: readonly string[]): string[] => {
  if (slots === undefined) return []
  if (!isRecord(slots)) return ["slots must be an object: { avatar: { profile: 'avatar' } }"]
  return Object.entries(slots).flatMap(([key, slot]) => {
    const path = `slots.${key}`
    const problems = name.test(key) ? [] : [`${path}: ${nameRule}`]
    if (!isRecord(slot)) return [...problems, `${path} must be an object: { profile: '…' }`]
    const { profile, many } = slot
    problems.push(...unknownKeys(slot, ['profile', 'many'], path))
    if (!profiles.includes(String(profile)))
      problems.push(`${path}.profile: no profile is named ${String(profile)}${suggestion(String(profile), profiles)}`)
    if (many !== undefined && typeof many !== 'boolean') problems.push(`${path}.many must be true or false`)
    return problems
  })
}

const problemsOfBaseUrl = (baseUrl: unknown): string[] => {
  const url = typeof baseUrl === 'string' && URL.canParse(baseUrl) ? new URL(baseUrl) : null
  if (!url || !/^https?:$/.test(url.protocol))
    return ["baseUrl must be the address where the http door is mounted: 'https://example.com/media'"]
  return url.search || url.hash || url.username || url.password ? ['baseUrl must have no query, no fragment and no user name'] : []
}

const isStore = (value: unknown): boolean => isRecord(value) && typeof value['id'] === 'string' && typeof value['put'] === 'function'
const isLogger = (value: unknown): boolean =>
  isRecord(value) && ['debug', 'info', 'warn', 'error'].every((level) => typeof value[level] === 'function')
