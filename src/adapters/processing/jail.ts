import { lstatSync, statfsSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { resolve } from 'node:path'
import { missingWalls } from '../../core/decoding-needs.ts'
import { RindleError } from '../../core/errors.ts'
import type { Logger } from '../../core/ports/logger.ts'
import type { Jail } from '../../core/ports/jail.ts'
import { decoderArguments } from './jail/launch.ts'
import { createPool, type Pool } from './jail/pool.ts'
import { findProgram } from './jail/programs.ts'
import { diskFull } from './jail/protocol.ts'
import { reportOf } from './jail/report.ts'
import { verdictOf } from './jail/verdict.ts'

export interface JailOptions {
  /** How many files are looked at in the same moment, each by a child of its own. Default: one per core. */
  readonly concurrency?: number
  /** Path of util-linux's prlimit; null where there is none. Default: found in its usual places. */
  readonly prlimit?: string | null
  /** Path of bubblewrap's bwrap; null where there is none. Default: found in its usual places. */
  readonly bubblewrap?: string | null
  /** Refuses to look at anything where a wall does not stand. Default false: it is said once. */
  readonly require?: boolean
  /** What the decode of one file may allocate on top of a warm child. Default 1 GiB, which takes any photo that the default `maxPixels` lets in. */
  readonly maxDecodeBytes?: number
  /** Where children get their private folders. Default: the system's folder for temporary files. */
  readonly scratchFolder?: string
  /** A child is replaced after so many visits. Default 500. */
  readonly visitsPerChild?: number
  /** A child is replaced when it has decoded so much. Default 64 GiB. */
  readonly bytesPerChild?: number
  /** The kernel ends a child that has used so much CPU time in all its life; it is replaced at half of it. Default 1,800. */
  readonly cpuSecondsPerChild?: number
  /** What Node.js is started with. Default: the code of the decoder. */
  readonly nodeArguments?: readonly string[]
  readonly logger: Logger
}

const mebibyte = 1024 * 1024

/** Looks at files in child processes that hold no secret. Nothing is started before the first visit or `warm`. */
export const createJail = (options: JailOptions): Jail => {
  const {
    prlimit = findProgram('prlimit'),
    bubblewrap = findProgram('bwrap'),
    require = false,
    logger,
    nodeArguments = decoderArguments(),
  } = options
  const scratchFolder = resolve(options.scratchFolder ?? tmpdir())
  const maxDecodeBytes = options.maxDecodeBytes ?? 1024 * mebibyte
  const pool = createPool({
    concurrency: options.concurrency ?? availableParallelism(),
    limits: { maxDecodeBytes, cpuSeconds: options.cpuSecondsPerChild ?? 1_800, maxFileBytes: 1024 * mebibyte },
    ...{ prlimit, bubblewrap, scratchFolder, logger },
    visitsPerChild: options.visitsPerChild ?? 500,
    bytesPerChild: options.bytesPerChild ?? 64 * 1024 * mebibyte,
    maxResidentBytes: 512 * mebibyte,
    startTimeoutMs: 30_000,
    nodeArguments,
  })
  const visit = visitIn(pool, scratchFolder, logger)
  const checkWalls = async (): Promise<void> => {
    const problem = missingWalls(await pool.found())
    if (problem) throw problem
  }
  return {
    visit: async (asked) => {
      asked.signal?.throwIfAborted()
      if (require) await checkWalls()
      return visit(asked)
    },
    warm: async (children) => {
      if (require) await checkWalls()
      await pool.warm(children)
    },
    report: (contentTypes) =>
      reportOf(
        { pool, visit, scratchFolder, key: JSON.stringify([prlimit, bubblewrap, maxDecodeBytes, scratchFolder, nodeArguments]) },
        contentTypes,
      ),
    close: () => pool.close(),
  }
}

const visitIn =
  (pool: Pool, scratchFolder: string, logger: Logger): Jail['visit'] =>
  async ({ signal, excerpt, onProgress, ...visit }) => {
    const known = excerpt && { sizeBytes: excerpt.sizeBytes, isText: excerpt.isText }
    const { timeoutMs, gateTimeoutMs } = visit.limits
    const byteSize = lstatSync(visit.path, { throwIfNoEntry: false })?.size ?? 0
    return pool
      .visit({
        visit: { ...visit, excerpt: known },
        byteSize,
        limits: { timeoutMs, gateTimeoutMs, signal, read: excerpt?.read, onProgress },
        collect: (outcome, folder) => {
          if (outcome.kind === 'killed' || outcome.kind === 'starved') signal?.throwIfAborted()
          return verdictOf(outcome, {
            visit,
            folder,
            logger,
            receivedBytes: excerpt ? null : byteSize,
            full: (cause) => diskFullError(scratchFolder, byteSize, cause),
          })
        },
      })
      .catch((err: unknown) => {
        throw isDiskFull(err) ? diskFullError(scratchFolder, byteSize, err) : err
      })
  }

const isDiskFull = (err: unknown): boolean => err instanceof Error && 'code' in err && (err.code === diskFull || err.code === 'EDQUOT')

/** At least as much as there is was not enough, whatever the file itself takes: a quota may be less than the disk. */
const diskFullError = (scratchFolder: string, byteSize: number, cause?: unknown): RindleError => {
  const { bavail, bsize } = statfsSync(scratchFolder)
  const freeBytes = bavail * bsize
  return new RindleError('insufficient_disk_headroom', { neededBytes: Math.max(byteSize, freeBytes + 1), freeBytes }, { cause })
}
