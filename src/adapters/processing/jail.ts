import { existsSync } from 'node:fs'
import { lstat } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { basename, join } from 'node:path'
import { canonicalType } from '../../core/content-type.ts'
import { errorCatalog, messageOf, RindleError, type ErrorCode } from '../../core/errors.ts'
import type { Logger } from '../../core/ports/logger.ts'
import type { MadeVariant, Jail, Verdict, Visit } from '../../core/ports/jail.ts'
import type { Passed } from './attend.ts'
import type { Outcome } from './jail/decoder.ts'
import { createPool, withoutPrlimit } from './jail/pool.ts'

export interface JailOptions {
  /** How many files are looked at in the same moment, each by a child of its own. Default: one per core. */
  readonly concurrency?: number
  /** Path of util-linux's prlimit; null where there is none. Default: found in its usual places. */
  readonly prlimit?: string | null
  /** What a decode may allocate on top of a warm child. Default 1 GiB, which takes any photo that the default `maxPixels` lets in. */
  readonly extraMemoryBytes?: number
  /** A child is replaced after so many visits. Default 500. */
  readonly visitsPerChild?: number
  readonly logger: Logger
}

const mebibyte = 1024 * 1024

/** Looks at files in child processes that hold no secret. Nothing is started before the first visit or `warm`. */
export const createJail = (options: JailOptions): Jail => {
  const prlimit = options.prlimit === undefined ? findPrlimit() : options.prlimit
  const pool = createPool({
    concurrency: options.concurrency ?? availableParallelism(),
    limits: { extraMemoryBytes: options.extraMemoryBytes ?? 1024 * mebibyte, maxFileBytes: 1024 * mebibyte },
    prlimit,
    logger: options.logger,
    visitsPerChild: options.visitsPerChild ?? 500,
    maxResidentBytes: 512 * mebibyte,
    startTimeoutMs: 30_000,
  })
  return {
    visit: async ({ signal, excerpt, ...visit }) => {
      const known = excerpt && { sizeBytes: excerpt.sizeBytes, isText: excerpt.isText }
      const limits = { timeoutMs: visit.limits.timeoutMs, signal, read: excerpt?.read }
      const outcome = await pool.visit({ ...visit, excerpt: known }, limits)
      if (outcome.kind === 'killed') signal?.throwIfAborted()
      return verdictOf(outcome, visit, options.logger)
    },
    warm: () => pool.warm(),
    report: async () => ({
      walls: [
        { name: 'memory', stands: prlimit !== null, means: prlimit === null ? withoutPrlimit : 'every decode has a limit of memory' },
      ],
      ...{ versions: {}, decodes: [], missing: {} },
    }),
    close: () => pool.close(),
  }
}

/** Names that are never a verdict on the bytes, whoever says them. */
const faults: ReadonlySet<ErrorCode> = new Set(['peer_missing', 'decoder_unavailable', 'internal_error'])

const verdictOf = async (outcome: Outcome, visit: Visit, logger: Logger): Promise<Verdict> => {
  switch (outcome.kind) {
    case 'killed':
      throw new RindleError('decoder_killed', { reason: outcome.reason })
    case 'fault':
      logger.error({ problem: outcome.problem }, 'a decoder met a fault')
      throw new RindleError('decoder_unavailable', { problem: outcome.problem })
    case 'failure': {
      const { code, details } = outcome
      const message = sentenceOf(code, details)
      if (faults.has(code)) throw new RindleError(code, details as never)
      return { verdict: 'refuse', code, message, details }
    }
    case 'pass':
      if (!isListed(outcome.passed.facts.contentType, visit)) throw nonsense()
      return { ...outcome.passed, variants: await Promise.all(outcome.passed.variants.map((made) => checked(made, visit))) }
  }
}

/** A child that bytes have taken over could call them whatever it likes: the gate lets in what the profile lists. */
const isListed = (contentType: string, { purpose, allowMime }: Visit): boolean =>
  purpose === 'build' || allowMime.some((type) => canonicalType(type) === contentType)

const nonsense = (): RindleError => new RindleError('decoder_killed', { reason: 'it answered nonsense' })

const sentenceOf = (code: ErrorCode, details: object): string => {
  if (!Object.hasOwn(errorCatalog, code)) throw nonsense()
  try {
    return messageOf(code, details as never)
  } catch {
    throw nonsense()
  }
}

/** A child that bytes have taken over could name any file or leave a link behind: only a plain file of the job's own folder counts. */
const checked = async (made: Passed['variants'][number], visit: Visit): Promise<MadeVariant> => {
  if (!made.ok) return made
  const path = join(visit.folder, basename(made.path))
  const found = await lstat(path).catch(() => null)
  if (!found?.isFile() || found.size !== made.byteSize) throw nonsense()
  return { ...made, path }
}

const findPrlimit = (): string | null =>
  ['/usr/bin/prlimit', '/bin/prlimit', '/usr/local/bin/prlimit'].find((path) => existsSync(path)) ?? null
