import { hostname, tmpdir } from 'node:os'

/** What the machine offers, read once. With doors/cli/config.ts the only reader of the environment. */
export interface Host {
  /** Where jobs get their private folders. */
  readonly scratchFolder: string
  /** Who holds a lease, for people: host name and pid. */
  readonly workerName: string
}

export const readHost = (): Host =>
  Object.freeze({ scratchFolder: process.env['RINDLE_SCRATCH'] ?? tmpdir(), workerName: `${hostname()}:${process.pid}` })
