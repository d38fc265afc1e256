import { statfsSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'

/** What the machine offers, read once. With doors/cli/config.ts the only reader of the environment. */
export interface Host {
  /** Where jobs get their private folders. */
  readonly scratchFolder: string
  /** Who holds a lease, for people: host name and pid. */
  readonly workerName: string
  /** How much may still be written below a folder, by the file system that it is on; Infinity where that does not say. */
  readonly freeBytes: (folder: string) => number
}

export const readHost = (): Host =>
  Object.freeze({
    scratchFolder: process.env['RINDLE_SCRATCH'] ?? tmpdir(),
    workerName: `${hostname()}:${process.pid}`,
    freeBytes: freeBytesOf,
  })

const freeBytesOf = (folder: string): number => {
  const { blocks, bavail, bsize } = statfsSync(folder)
  return blocks === 0 ? Infinity : bavail * bsize
}
