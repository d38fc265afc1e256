import { statfsSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { resolve } from 'node:path'

/** What the machine offers: its settings are read once, the room on its disks whenever it is asked for. With doors/cli/config.ts the only reader of the environment. */
export interface Host {
  /** Where jobs get their private folders: absolute, since decoders run in a folder of their own. */
  readonly scratchFolder: string
  /** Who holds a lease, for people: host name and pid. */
  readonly workerName: string
  /** How much may still be written below a folder, by the file system that it is on; Infinity where that does not say. */
  readonly freeBytes: (folder: string) => number
  /** Where processes are frozen or ended between requests, so that nothing that takes minutes comes to an end there; null elsewhere. */
  readonly ephemeral: string | null
}

export const readHost = (): Host =>
  Object.freeze({
    scratchFolder: resolve(process.env['RINDLE_SCRATCH'] || tmpdir()),
    workerName: `${hostname()}:${process.pid}`,
    freeBytes: freeBytesOf,
    ephemeral: ephemeralHost(),
  })

/** What Vercel says of itself is also pulled onto the machines of developers, where it calls itself `development`. */
const ephemeralHost = (): string | null => {
  const found = ephemeralHosts.find(([, names]) => names.some((name) => process.env[name]))?.[0] ?? null
  return found === 'Vercel' && process.env['VERCEL_ENV'] === 'development' ? null : found
}

/** Each by what it puts into the environment. */
const ephemeralHosts: readonly (readonly [name: string, variables: readonly string[]])[] = [
  ['AWS Lambda', ['LAMBDA_TASK_ROOT', 'AWS_LAMBDA_FUNCTION_NAME']],
  ['Vercel', ['VERCEL', 'VERCEL_ENV', 'NOW_REGION']],
]

/** Up to this size a trip to the thread pool takes longer than what is done with the file. */
export const smallFileBytes = 256 * 1024

/** Whether a write failed because the disk, or what its owner may have of it, is used up. */
export const isDiskFull = (err: unknown): boolean =>
  err instanceof Error && 'code' in err && (err.code === 'ENOSPC' || err.code === 'EDQUOT')

const freeBytesOf = (folder: string): number => {
  const { blocks, bavail, bsize } = statfsSync(folder)
  return blocks === 0 ? Infinity : bavail * bsize
}
