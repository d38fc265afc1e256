import { canonicalType, inertTypes } from '../../../core/content-type.ts'
import { errorCatalog, type ErrorCode } from '../../../core/errors.ts'
import type { Played } from '../../../core/played.ts'
import type { Facts, MadeVariant, Rewritten } from '../../../core/ports/jail.ts'
import { mostSpans, type Span } from '../../../core/span.ts'
import { isStorableText } from '../../../core/storable.ts'
import { mostStripFrames, type StripGrid, type VariantFacts } from '../../../core/variant-facts.ts'
import type { Passed } from '../attend.ts'
import { mostAskedBytes, type Reply } from './protocol.ts'

/**
 * What a child wrote, field by field; null when any of it is not what a sound child says. Bytes may have taken the child over, and what it
 * answers goes into rows, keys, headers and sentences.
 */
export const replyFrom = (line: string): Reply | null => {
  try {
    return replyOf(JSON.parse(line))
  } catch {
    return null
  }
}

type Fields = Readonly<Record<string, unknown>>

const replyOf = (value: unknown): Reply | null => {
  if (!isFields(value)) return null
  const { kind, problem, code, details, residentBytes } = value
  if (kind === 'warm') return warmOf(value)
  if (kind === 'ask') return askOf(value)
  if (kind === 'need') return isWhole(value['bytes']) ? { kind, bytes: value['bytes'] } : null
  if (kind === 'gated') return { kind }
  if (kind === 'progress') return isFraction(value['fraction']) ? { kind, fraction: value['fraction'] } : null
  if (!isAmount(residentBytes)) return null
  if (kind === 'fault') return isText(problem, longestProblem) ? { kind, problem, residentBytes } : null
  if (kind === 'failure') return isCode(code) && isDetails(details) ? { kind, code, details, residentBytes } : null
  const passed = kind === 'pass' ? passedOf(value['passed']) : null
  return passed && { kind: 'pass', passed, residentBytes }
}

const warmOf = ({ problem, versions }: Fields): Reply | null => {
  if (problem !== null && !isText(problem, longestProblem)) return null
  if (versions === null) return { kind: 'warm', problem, versions }
  if (!isFields(versions) || !isLike(versions['sharp'], versionForm) || !isLike(versions['libvips'], versionForm)) return null
  return { kind: 'warm', problem, versions: { sharp: versions['sharp'], libvips: versions['libvips'] } }
}

const askOf = ({ start, end }: Fields): Reply | null => {
  if (!isWhole(start) || !isWhole(end) || end <= start || end - start > mostAskedBytes) return null
  return { kind: 'ask', start, end }
}

const passedOf = (value: unknown): Passed | null => {
  if (!isFields(value) || value['verdict'] !== 'pass' || !isFields(value['figures']) || !Array.isArray(value['variants'])) return null
  const facts = factsOf(value['facts'])
  const rewritten = value['rewritten'] === null ? null : rewrittenOf(value['rewritten'])
  if (rewritten === undefined) return null
  const { gateCpuMs, cpuMs } = value['figures']
  const variants = value['variants'].flatMap((one: unknown) => madeOf(one) ?? [])
  if (!facts || !isAmount(gateCpuMs) || !isAmount(cpuMs) || variants.length < value['variants'].length) return null
  return { verdict: 'pass', facts, rewritten, variants, figures: { gateCpuMs, cpuMs } }
}

/** @returns undefined when it is no sense. */
const rewrittenOf = (value: unknown): Rewritten | undefined => {
  if (!isFields(value)) return undefined
  const { path, byteSize, changed } = value
  if (!isText(path, 4_096) || !isWhole(byteSize)) return undefined
  if (changed === null) return { path, byteSize, changed }
  if (!Array.isArray(changed) || changed.length > mostSpans) return undefined
  const spans = changed.flatMap((one: unknown) => spanOf(one) ?? [])
  const inOrder = spans.every(({ start, end }, index) => start >= (spans[index - 1]?.end ?? 0) && end > start && end <= byteSize)
  return inOrder && spans.length === changed.length ? { path, byteSize, changed: spans } : undefined
}

const spanOf = (value: unknown): Span | null => {
  if (!isFields(value)) return null
  const { start, end } = value
  return isWhole(start) && isWhole(end) ? { start, end } : null
}

const factsOf = (value: unknown): Facts | null => {
  if (!isFields(value)) return null
  const { kind, contentType, extension, width, height, frames, hasAlpha, placeholder, dominantColor } = value
  const played = playedOf(value)
  const known = kinds.find((one) => one === kind)
  if (
    !known ||
    !played ||
    !isLike(contentType, typeForm) ||
    contentType !== canonicalType(contentType) ||
    !isLike(extension, extensionForm)
  )
    return null
  if (!(width === null || isSize(width)) || !(height === null || isSize(height)) || !(frames === null || isSize(frames))) return null
  if (!isTold(hasAlpha)) return null
  if (!(placeholder === null || isLike(placeholder, hashForm)) || !(dominantColor === null || isLike(dominantColor, colorForm))) return null
  return { kind: known, contentType, extension, width, height, frames, hasAlpha, ...played, placeholder, dominantColor }
}

const playedOf = (value: Fields): Played | null => {
  const { durationMs, hasVideoTrack, hasAudioTrack, rotation: turn, framesPerSecond, videoCodec, audioCodec } = value
  if (!isTold(hasVideoTrack) || !isTold(hasAudioTrack) || !(durationMs === null || isWhole(durationMs))) return null
  const rotation = turn === null ? turn : turns.find((one) => one === turn)
  if (rotation === undefined || !(framesPerSecond === null || (isAmount(framesPerSecond) && framesPerSecond <= mostFrameRate))) return null
  if (!(videoCodec === null || isLike(videoCodec, codecForm)) || !(audioCodec === null || isLike(audioCodec, codecForm))) return null
  return { durationMs, hasVideoTrack, hasAudioTrack, rotation, framesPerSecond, videoCodec, audioCodec }
}

const madeOf = (value: unknown): MadeVariant | null => {
  if (!isFields(value)) return null
  const { name, ok, path, contentType, extension, byteSize, sha256, code, message } = value
  if (!isText(name, 255)) return null
  if (ok === false) return isCode(code) && isText(message, longestProblem) ? { name, ok, code, message } : null
  if (ok !== true || !isText(path, 4_096) || typeof contentType !== 'string' || !madeTypes.has(contentType)) return null
  const facts = variantFactsOf(value)
  if (!facts || !isLike(extension, extensionForm) || !isAmount(byteSize) || !isLike(sha256, digestForm)) return null
  return { name, ok, path, contentType, extension, ...facts, byteSize, sha256 }
}

const variantFactsOf = ({ width, height, durationMs, hasAudioTrack, grid: told }: Fields): VariantFacts | null => {
  if (!(width === null || isSize(width)) || !(height === null || isSize(height))) return null
  if (!(durationMs === null || isWhole(durationMs)) || !isTold(hasAudioTrack)) return null
  const grid = told === null ? null : gridOf(told)
  return grid === undefined ? null : { width, height, durationMs, hasAudioTrack, grid }
}

/** @returns undefined when it is no sense. */
const gridOf = (value: unknown): StripGrid | undefined => {
  if (!isFields(value)) return undefined
  const { tileWidth, tileHeight, columns, rows, count, intervalMs } = value
  if (!isSize(tileWidth) || !isSize(tileHeight) || !isSize(columns) || !isSize(rows) || !isSize(count) || !isSize(intervalMs))
    return undefined
  return count <= columns * rows && count <= mostStripFrames ? { tileWidth, tileHeight, columns, rows, count, intervalMs } : undefined
}

/** Pictures, films and sound that run nothing in a page, and waveforms. */
const madeTypes: ReadonlySet<string> = new Set([...inertTypes, 'application/json'])

const kinds = ['image', 'video', 'audio', 'file'] as const
const turns = [0, 90, 180, 270] as const
const mostFrameRate = 1_000_000
const longestProblem = 1_000
const longestDetails = 16_384
const typeForm = /^[a-z0-9][a-z0-9!#$&^_.+-]{0,126}\/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}$/
const extensionForm = /^(?:[a-z0-9]+(?:[._+-][a-z0-9]+)*)?$/
const hashForm = /^[A-Za-z0-9+/]{1,62}={0,2}$/
const colorForm = /^#[0-9a-f]{6}$/
const codecForm = /^[a-z0-9_]{1,40}$/
const versionForm = /^\d+\.\d+\.\d+(?:[-+.][\w.+-]{1,40})?$/
const digestForm = /^[0-9a-f]{64}$/

const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value)
const isText = (value: unknown, longest: number): value is string =>
  typeof value === 'string' && value.length <= longest && isStorableText(value)
const isLike = (value: unknown, form: RegExp): value is string => isText(value, 255) && form.test(value)
const isAmount = (value: unknown): value is number => typeof value === 'number' && value >= 0 && value <= Number.MAX_SAFE_INTEGER
const isFraction = (value: unknown): value is number => isAmount(value) && value <= 1
const isWhole = (value: unknown): value is number => Number.isInteger(value) && isAmount(value)
const isTold = (value: unknown): value is boolean | null => value === null || typeof value === 'boolean'
const isSize = (value: unknown): value is number => Number.isInteger(value) && isAmount(value) && value >= 1 && value < 2 ** 31
const isCode = (value: unknown): value is ErrorCode => typeof value === 'string' && Object.hasOwn(errorCatalog, value)
const isDetails = (value: unknown): value is Fields =>
  isFields(value) && JSON.stringify(value).length <= longestDetails && isStorable(value)

const isStorable = (value: unknown): boolean => {
  if (typeof value === 'string') return isStorableText(value)
  if (typeof value !== 'object' || value === null) return true
  return Object.entries(value).every(([name, member]) => isStorable(name) && isStorable(member))
}
