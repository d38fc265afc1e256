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
}

export const readHost = (): Host =>
  Object.freeze({
    scratchFolder: resolve(process.env['RINDLE_SCRATCH'] || tmpdir()),
    workerName: `${hostname()}:${process.pid}`,
    freeBytes: freeBytesOf,
  })

/** Up to this size a trip to the thread pool takes longer than what is done with the file. */
export const smallFileBytes = 256 * 1024

/** Whether a write failed because the disk, or what its owner may have of it, is used up. */
export const isDiskFull = (err: unknown): boolean =>
  err instanceof Error && 'code' in err && (err.code === 'ENOSPC' || err.code === 'EDQUOT')

const freeBytesOf = (folder: string): number => {
  const { blocks, bavail, bsize } = statfsSync(folder)
  return blocks === 0 ? Infinity : bavail * bsize
}
