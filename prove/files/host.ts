import { readFileSync } from 'node:fs'
import type { Visit } from '../../src/core/ports/jail.ts'
import { serve } from '../memory/peer.ts'
import { openVisiting } from './visiting.ts'

/** The process that holds the jail, as an app's worker does, and nothing else: what it grows by, or dies of, files have done to it. */
const { folder, concurrency }: { folder: string; concurrency?: number } = JSON.parse(process.argv[2] ?? '{}')
const visiting = openVisiting(folder, concurrency === undefined ? {} : { concurrency })

const commands = {
  warm: async (_: null) => visiting.jail.warm(),
  visit: async ({ path, filename, more }: { path: string; filename: string; more?: Partial<Visit> }) =>
    visiting.visit(path, filename, more),
  /** Memory that is held after everything that can be freed was freed. */
  heldBytes: async (_: null) => {
    globalThis.gc?.()
    globalThis.gc?.()
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? Number.NaN) * 1024
  },
  pid: async (_: null) => process.pid,
  close: async (_: null) => visiting.close(),
}
export type HostCommands = typeof commands

serve(commands)
