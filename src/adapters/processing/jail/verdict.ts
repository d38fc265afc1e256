import { basename, join } from 'node:path'
import { canonicalType } from '../../../core/content-type.ts'
import { errorCatalog, messageOf, RindleError, type ErrorCode } from '../../../core/errors.ts'
import type { Logger } from '../../../core/ports/logger.ts'
import type { MadeVariant, Verdict, Visit } from '../../../core/ports/jail.ts'
import type { ChildFolder } from './child-folder.ts'
import type { Outcome } from './decoder.ts'
import { diskFull } from './protocol.ts'

/** Names that are never a verdict on the bytes, whoever says them. */
const faults: ReadonlySet<ErrorCode> = new Set([
  'peer_missing',
  'peer_outdated',
  'program_missing',
  'decoder_killed',
  'decoder_starved',
  'decoder_unavailable',
  'internal_error',
])

export interface Judged {
  readonly visit: Visit
  /** Of the child that looked at it. */
  readonly folder: ChildFolder
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
export const verdictOf = async (outcome: Outcome, { visit, folder, logger, full }: Judged): Promise<Verdict> => {
  switch (outcome.kind) {
    case 'killed':
      throw new RindleError('decoder_killed', { reason: outcome.reason })
    case 'starved':
      throw new RindleError('decoder_starved', { cpuSeconds: outcome.cpuSeconds, seconds: outcome.seconds })
    case 'fault':
      if (outcome.problem === diskFull) throw full()
      logger.error({ problem: outcome.problem }, 'a decoder met a fault')
      throw new RindleError('decoder_unavailable', { problem: outcome.problem })
    case 'failure': {
      const { code, details } = outcome
      const message = sentenceOf(code, details)
      if (faults.has(code)) throw new RindleError(code, details as never)
      return { verdict: 'refuse', code, message, details }
    }
    case 'pass': {
      const { passed } = outcome
      if (!isListed(passed.facts.contentType, visit)) throw nonsense()
      const rewritten = passed.rewritten && (await broughtOut(passed.rewritten, visit, folder))
      const variants: MadeVariant[] = []
      for (const made of passed.variants) variants.push(made.ok ? await broughtOut(made, visit, folder) : made)
      return { ...passed, rewritten, variants }
    }
  }
}

/** A child that bytes have taken over could call them whatever it likes: the gate lets in what the profile lists. */
const isListed = (contentType: string, { purpose, allowMime }: Visit): boolean =>
  purpose !== 'gate' || allowMime.some((type) => canonicalType(type) === contentType)

const nonsense = (): RindleError => new RindleError('decoder_killed', { reason: 'it answered nonsense' })

const sentenceOf = (code: ErrorCode, details: object): string => {
  if (!Object.hasOwn(errorCatalog, code)) throw nonsense()
  try {
    return messageOf(code, details as never)
  } catch {
    throw nonsense()
  }
}

/** A child that bytes have taken over could name any file or leave a link behind: only a plain file of its own folder counts. */
const broughtOut = async <T extends { readonly path: string; readonly byteSize: number }>(
  made: T,
  visit: Visit,
  folder: ChildFolder,
): Promise<T> => {
  const path = join(visit.folder, basename(made.path))
  if ((await folder.takeOut(made.path, path)) !== made.byteSize) throw nonsense()
  return { ...made, path }
}
