import { problemsOfAvRecipe } from './av-recipes.ts'
import { bareExtension, canonicalType, decodableImageTypes, extensionsOf, kindOf, playableTypes } from './content-type.ts'
import { problemsOfImageRecipe } from './image-recipe.ts'
import { metadataPolicies, stripperOf } from './metadata-policy.ts'
import { audioCodecs, mostStreams, videoCodecs } from './played.ts'
import type { ProfileOptions } from './profile-options.ts'
import type { Recipe } from './recipe.ts'
import { isRecord, isTextList, isWhole } from './shape.ts'
import { suggestion, unknownKeys } from './suggestion.ts'
import { makings, type Source } from './variant-plan.ts'

/** What is wrong with a definition, all of it; whatever a program that was not type checked may have handed in. */
export const problemsOfProfile = (options: ProfileOptions): string[] => {
  if (!isRecord(options)) return ['defineProfile takes an object of options']
  return [
    ...unknownKeys(options, optionNames, ''),
    ...problemsOfStorage(options.storage),
    ...problemsOfTypes(options),
    ...problemsOfExtensions(options),
    ...problemsOfLimits(options),
    ...problemsOfCodecs(options.allowCodecs),
    ...problemsOfVariants(options),
    ...problemsOfOriginals(options),
    ...problemsOfStripping(options),
    ...problemsOfAppCode(options),
    ...problemsOfDelivery(options.delivery),
    ...problemsOfRetention(options),
  ]
}

const optionNames = [
  'kind',
  'storage',
  'allowMime',
  'allowExtensions',
  'maxBytes',
  'maxPixels',
  'maxSidePixels',
  'maxFrames',
  'maxDurationSeconds',
  'maxStreams',
  'maxFramesPerSecond',
  'allowCodecs',
  'originals',
  'svg',
  'scanners',
  'analyzer',
  'processor',
  'variants',
  'delivery',
  'quarantine',
  'unattached',
]
const kinds = ['media', 'file']
const weekSeconds = 604_800
const variantName = /^[a-z][a-z0-9_-]{0,62}$/i
const contentTypeForm = /^[a-z0-9][a-z0-9!#$&^_.+-]*\/[a-z0-9][a-z0-9!#$&^_.+-]*$/i

const problemsOfStorage = (storage: unknown): string[] =>
  isRecord(storage) && typeof storage['id'] === 'string' && typeof storage['put'] === 'function' && storage['capabilities'] instanceof Set
    ? []
    : ["storage must be a storage adapter, such as local('./files')"]

const problemsOfTypes = ({ kind, allowMime, svg }: ProfileOptions): string[] => {
  const problems = kind === undefined || kinds.includes(kind) ? [] : [`kind must be media or file${suggestion(String(kind), kinds)}`]
  if (!isTextList(allowMime)) return [...problems, 'allowMime must list the content types that are taken']
  if (allowMime.length === 0)
    return [...problems, 'allowMime is empty, so nothing could ever be uploaded: list the content types that are taken']
  for (const type of allowMime) {
    if (type.includes('*')) problems.push(`allowMime: ${type} is a pattern; name each content type`)
    else if (!contentTypeForm.test(type)) problems.push(`allowMime: ${type} is no content type`)
    else if (kind !== 'file' && canonicalType(type) === 'image/svg+xml') {
      if (svg !== 'rasterize')
        problems.push(
          `allowMime: ${type} is refused by default, since an SVG can run scripts and name other files; with svg: 'rasterize' it is drawn in the jail without anything from outside, variants are pictures and the original is an attachment`,
        )
    } else if (kind !== 'file' && !decodableImageTypes.has(canonicalType(type)) && !playableTypes.has(canonicalType(type)))
      problems.push(
        `allowMime: ${type} is not decoded here (${[...decodableImageTypes, ...playableTypes].join(', ')} are); put it into a profile with kind: 'file', which checks type, size and name, makes no variants and serves attachments`,
      )
  }
  return problems
}

const problemsOfExtensions = ({ allowExtensions, allowMime }: ProfileOptions): string[] => {
  if (allowExtensions === undefined) return []
  if (!isTextList(allowExtensions) || allowExtensions.length === 0)
    return ['allowExtensions must list at least one extension, or be left out to take every extension of the allowed types']
  const problems = allowExtensions
    .filter((one) => !/^\.?[a-z0-9]+$/i.test(one))
    .map((one) => `allowExtensions: ${JSON.stringify(one)} is no extension`)
  if (!isTextList(allowMime)) return problems
  const known = allowMime.map((type) => extensionsOf(type))
  if (problems.length > 0 || known.some((list) => list.length === 0)) return problems
  return allowExtensions
    .filter((one) => !known.some((list) => list.includes(bareExtension(one))))
    .map((one) => `allowExtensions: .${bareExtension(one)} belongs to none of the types in allowMime`)
}

const problemsOfLimits = (options: ProfileOptions): string[] => {
  const problems = isWhole(options.maxBytes) ? [] : ['maxBytes must be a whole number of bytes, 1 or more']
  const { maxPixels, maxSidePixels, maxFrames, maxDurationSeconds, maxFramesPerSecond, maxStreams } = options
  for (const [name, limit] of Object.entries({ maxPixels, maxSidePixels, maxFrames, maxDurationSeconds, maxFramesPerSecond }))
    if (limit !== undefined && !isWhole(limit)) problems.push(`${name} must be a whole number, 1 or more`)
  if (maxStreams !== undefined && !isWhole(maxStreams, 1, mostStreams))
    problems.push(`maxStreams must be a whole number from 1 to ${mostStreams}`)
  return problems
}

const codecs: readonly string[] = [...videoCodecs, ...audioCodecs]

const problemsOfCodecs = (allowed: unknown): string[] => {
  if (allowed === undefined) return []
  if (!isTextList(allowed) || allowed.length === 0)
    return ['allowCodecs must list at least one codec, or be left out to take all that are decoded here']
  return allowed
    .filter((one) => !codecs.includes(one))
    .map((one) => `allowCodecs: ${JSON.stringify(one)} is not decoded here (${codecs.join(', ')} are)${suggestion(one, codecs)}`)
}

const problemsOfVariants = ({ kind, variants, allowMime, processor }: ProfileOptions): string[] => {
  if (variants === undefined) return []
  if (!isRecord(variants)) return ['variants must be an object: { thumb: image({ width: 128 }) }']
  const entries = Object.entries(variants)
  if (kind === 'file' && entries.length > 0)
    return [`variants: a profile with kind: 'file' decodes nothing, so it cannot make ${entries.map(([name]) => name).join(', ')}`]
  const problems = entries.flatMap(([name, recipe]) => {
    const path = `variants.${name}`
    const problems = variantName.test(name)
      ? []
      : [`${path}: names begin with a letter and go on with letters, digits, - and _, at most 63`]
    if (!isRecord(recipe) || !Object.hasOwn(makings, recipe.kind))
      return [...problems, `${path} must be a recipe: image(), video(), audio(), waveform(), poster(), strip() or preview()`]
    const unmade = processor === undefined && isTextList(allowMime) ? problemsOfSource(recipe, allowMime, path) : []
    return [...problems, ...unmade, ...(recipe.kind === 'image' ? problemsOfImageRecipe(recipe, path) : problemsOfAvRecipe(recipe, path))]
  })
  return problems
}

/** What recipes are made from, in words, and whether a type may have it. */
const sources: Readonly<Record<Source, readonly [words: string, isOne: (type: string) => boolean]>> = {
  picture: ['pictures', (type) => decodableImageTypes.has(type) || type === 'image/svg+xml'],
  film: ['films', (type) => playableTypes.has(type) && kindOf(type) === 'video'],
  sound: ['films and sound', (type) => playableTypes.has(type)],
}

/** A recipe that nothing the profile takes could ever be made into. */
const problemsOfSource = ({ kind }: Recipe, allowMime: readonly string[], path: string): string[] => {
  const [words, isOne] = sources[makings[kind].from]
  if (allowMime.length === 0 || allowMime.some((type) => isOne(canonicalType(type)))) return []
  return [`${path}: ${kind}() is made from ${words}, and allowMime takes none`]
}

const problemsOfOriginals = ({ kind, originals, svg }: ProfileOptions): string[] => {
  const problems = svg === undefined || svg === 'refuse' || svg === 'rasterize' ? [] : ["svg must be 'refuse' or 'rasterize'"]
  if (originals === undefined) return problems
  if (!isRecord(originals)) return [...problems, "originals must be an object: { metadata: 'strip-location' }"]
  problems.push(...unknownKeys(originals, ['metadata'], 'originals'))
  const { metadata } = originals
  if (metadata === undefined) return problems
  if (!metadataPolicies.includes(metadata)) problems.push(`originals.metadata must be one of ${metadataPolicies.join(', ')}`)
  else if (kind === 'file' && metadata !== 'keep')
    problems.push("originals.metadata: a profile with kind: 'file' never rewrites a file, so only keep is possible")
  return problems
}

/** A type is taken with a policy that nobody could carry out on it. */
const problemsOfStripping = ({ kind, allowMime, originals }: ProfileOptions): string[] => {
  const metadata = isRecord(originals) ? (originals.metadata ?? 'strip-location') : 'strip-location'
  if (kind === 'file' || metadata === 'keep' || !isTextList(allowMime)) return []
  return allowMime
    .filter((type) => isDecoded(canonicalType(type)) && stripperOf(type) === null)
    .map(
      (type) =>
        `allowMime: nothing here takes ${metadata === 'strip' ? 'metadata' : 'the location'} out of ${type}; leave it out, or say originals: { metadata: 'keep' }, which serves it as it came`,
    )
}

const isDecoded = (type: string): boolean => decodableImageTypes.has(type) || playableTypes.has(type)

const problemsOfAppCode = ({ kind, scanners, analyzer, processor }: ProfileOptions): string[] => {
  const listed = scanners === undefined || Array.isArray(scanners) ? (scanners ?? []) : null
  return [
    ...(listed === null ? ['scanners must be a list: [clamav()]'] : []),
    ...(listed ?? []).flatMap((one, index) => problemsOfPart(`scanners[${index}]`, one, 'scan')),
    ...(new Set((listed ?? []).map((one) => one?.name)).size < (listed ?? []).length
      ? ['scanners must have different names: a release covers what the scanner of one name found']
      : []),
    ...(analyzer === undefined ? [] : problemsOfPart('analyzer', analyzer, 'analyze')),
    ...(processor === undefined ? [] : problemsOfPart('processor', processor, 'process')),
    ...(kind === 'file' && processor !== undefined ? ["processor: a profile with kind: 'file' makes no variants"] : []),
  ]
}

const partName = /^[a-z0-9][a-z0-9_-]{0,62}$/i

const problemsOfPart = (path: string, part: unknown, method: string): string[] => {
  if (!isRecord(part)) return [`${path} must be an object with a name and a method ${method}`]
  const { name, timeoutSeconds } = part
  return [
    ...(typeof name === 'string' && partName.test(name) ? [] : [`${path}.name must be letters, digits, - and _, at most 63`]),
    ...(typeof part[method] === 'function' ? [] : [`${path} must have a method ${method}`]),
    ...(timeoutSeconds === undefined || isWhole(timeoutSeconds)
      ? []
      : [`${path}.timeoutSeconds must be a whole number of seconds, 1 or more`]),
  ]
}

const problemsOfDelivery = (delivery: ProfileOptions['delivery']): string[] => {
  if (delivery === undefined) return []
  if (!isRecord(delivery)) return ['delivery must be an object']
  const problems = unknownKeys(delivery, ['public', 'signedUrlTtlSeconds', 'authorizer'], 'delivery')
  const { signedUrlTtlSeconds: ttl, authorizer } = delivery
  if (delivery.public !== undefined && typeof delivery.public !== 'boolean') problems.push('delivery.public must be true or false')
  if (ttl !== undefined && !isWhole(ttl, 1, weekSeconds))
    problems.push(`delivery.signedUrlTtlSeconds must be a whole number of seconds from 1 to ${weekSeconds}`)
  if (authorizer !== undefined && !(isRecord(authorizer) && typeof authorizer['authorize'] === 'function'))
    problems.push('delivery.authorizer must have a method authorize({ actor, action, subject })')
  return problems
}

const problemsOfRetention = ({ quarantine, unattached }: ProfileOptions): string[] => [
  ...problemsOfSeconds('quarantine', 'keepSeconds', quarantine, false),
  ...problemsOfSeconds('unattached', 'purgeAfterSeconds', unattached, true),
]

const problemsOfSeconds = (option: string, key: string, given: object | undefined, mayBeNull: boolean): string[] => {
  if (given === undefined) return []
  if (!isRecord(given)) return [`${option} must be an object: { ${key}: … }`]
  const seconds = given[key]
  const fine = seconds === undefined || isWhole(seconds) || (mayBeNull && seconds === null)
  const problem = `${option}.${key} must be a whole number of seconds, 1 or more${mayBeNull ? ', or null' : ''}`
  return [...unknownKeys(given, [key], option), ...(fine ? [] : [problem])]
}
