import { basename, join } from 'node:path'
import { oneLine } from '../../../core/app-code.ts'
import { canonicalType, extensionOf } from '../../../core/content-type.ts'
import { errorCatalog, messageOf, RindleError, type ErrorCode } from '../../../core/errors.ts'
import type { Logger } from '../../../core/ports/logger.ts'
import type { MadeVariant, Rewritten, Verdict, Visit } from '../../../core/ports/jail.ts'
import type { Passed } from '../attend.ts'
import type { ChildFolder } from './child-folder.ts'
import type { Outcome } from './decoder.ts'
import { diskFull } from './protocol.ts'

/** What this machine lacks: the file waits for it, however long. */
const missing: ReadonlySet<ErrorCode> = new Set(['peer_missing', 'peer_outdated', 'program_missing'])
/** Names that are never a verdict on the bytes, whoever says them. A child that goes on naming one comes to an end like one that dies. */
const faults: ReadonlySet<ErrorCode> = new Set(['decoder_killed', 'decoder_starved', 'decoder_unavailable', 'internal_error'])

interface Judged {
  readonly visit: Visit
  /** Of the child that looked at it. */
  readonly folder: ChildFolder
  /** Of the file that it looked at; null where only the beginning of it was there. */
  readonly receivedBytes?: number | null
  readonly logger: Logger
  /** The error to throw when nothing more could be written. */
  readonly full: (cause?: unknown) => RindleError
}

/**
 * Makes a verdict of what a child said, and brings what it made into the visit's folder.
 *
 * @throws RindleError `decoder_killed` also for nonsense, `decoder_starved`, `decoder_unavailable`, `insufficient_disk_headroom`, and what is
 * missing or too old
 */
export const verdictOf = async (outcome: Outcome, judged: Judged): Promise<Verdict> => {
  const { visit, logger, full } = judged
  switch (outcome.kind) {
    case 'killed':
      throw new RindleError('decoder_killed', { reason: outcome.reason })
    case 'starved':
      throw new RindleError('decoder_starved', { cpuSeconds: outcome.cpuSeconds, seconds: outcome.seconds })
    case 'fault':
      if (outcome.problem === diskFull) throw full()
      logger.error({ event: 'decoder_fault', problem: outcome.problem }, 'a decoder met a fault')
      throw new RindleError('decoder_killed', { reason: `it met a fault: ${oneLine(outcome.problem)}` })
    case 'failure': {
      const { code, details } = outcome
      const message = sentenceOf(code, details)
      if (missing.has(code)) throw new RindleError(code, details as never)
      if (faults.has(code))
        throw new RindleError('decoder_killed', { reason: faultIn(code, details) ?? `it named a fault: ${oneLine(message)}` })
      return { verdict: 'refuse', code, message, details }
    }
    case 'pass': {
      const { passed } = outcome
      if (!isListed(passed.facts.contentType, visit) || !isWithin(passed, visit) || !isNamed(passed) || !isWished(passed, visit))
        throw nonsense()
      const rewritten = passed.rewritten && (await rewrittenOut(passed.rewritten, judged))
      const variants: MadeVariant[] = []
      for (const made of passed.variants) variants.push(made.ok ? await variantOut(made, judged) : made)
      return { ...passed, rewritten, variants }
    }
  }
}

/** Why a program that it ran was ended, which would be said twice otherwise. */
const faultIn = (code: ErrorCode, details: Readonly<Record<string, unknown>>): string | null =>
  code === 'decoder_killed' && typeof details['reason'] === 'string' ? oneLine(details['reason']) : null

/** A child that bytes have taken over could call them whatever it likes: the gate lets in what the profile lists. */
const isListed = (contentType: string, { purpose, allowMime }: Visit): boolean =>
  purpose !== 'gate' || allowMime.some((type) => canonicalType(type) === contentType)

/** What may be spent on variants grows with the length, so the profile's word counts and not the child's. */
const isWithin = ({ facts: { durationMs } }: Passed, { purpose, limits }: Visit): boolean =>
  purpose !== 'gate' || durationMs === null || durationMs <= limits.maxDurationSeconds * 1000

const nonsense = (): RindleError => new RindleError('decoder_killed', { reason: 'it answered nonsense' })

const sentenceOf = (code: ErrorCode, details: object): string => {
  if (!Object.hasOwn(errorCatalog, code)) throw nonsense()
  try {
    return messageOf(code, details as never)
  } catch {
    throw nonsense()
  }
}

/** The extension is part of keys: where the type has one, it is that. */
const isNamed = ({ facts: { contentType, extension } }: Passed): boolean => (extensionOf(contentType) ?? extension) === extension

/** Each variant is one that was asked for, once. */
const isWished = ({ variants }: Passed, visit: Visit): boolean => {
  const names = new Set(variants.map(({ name }) => name))
  return names.size === variants.length && visit.variants.filter(({ name }) => names.has(name)).length === names.size
}

const mebibyte = 1024 * 1024
/** What a rewriting may add to a file. */
const mostAddedBytes = 64 * mebibyte
const mostVariantBytes = 1024 * mebibyte

/** The copy is the parent's own, and hashed when it is read again: nobody's word counts for it. */
const rewrittenOut = async (rewritten: Rewritten, { visit, folder, receivedBytes = null }: Judged): Promise<Rewritten> => {
  if (visit.purpose !== 'gate' || visit.profileKind !== 'media' || visit.metadata === 'keep') throw nonsense()
  const mostBytes = receivedBytes === null ? mostVariantBytes : receivedBytes + mostAddedBytes
  const { byteSize } = rewritten
  const destination = join(visit.folder, basename(rewritten.path))
  if ((await folder.takeOut(rewritten.path, { destination, byteSize, mostBytes, hashed: false })) === null) throw nonsense()
  return { ...rewritten, path: destination }
}

/** What is stored is the copy, so its hash is taken of the copy. */
const variantOut = async (made: Extract<MadeVariant, { ok: true }>, { visit, folder }: Judged): Promise<MadeVariant> => {
  const { byteSize } = made
  const destination = join(visit.folder, basename(made.path))
  const sha256 = await folder.takeOut(made.path, {
    destination,
    byteSize,
    mostBytes: Math.max(mostVariantBytes, visit.encoding?.outputBytes ?? 0),
    hashed: true,
  })
  if (sha256 === null) throw nonsense()
  return { ...made, path: destination, sha256 }
}
