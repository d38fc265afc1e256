import { readFileSync } from 'node:fs'
import { openVisiting } from '../files/visiting.ts'
import { serve } from '../memory/peer.ts'

/** The process that holds the jail, as an app's worker does, and nothing else: what it grows by, the bombs have cost it. */
const { folder }: { folder: string } = JSON.parse(process.argv[2] ?? '{}')
const visiting = openVisiting(folder)

const commands = {
  warm: async (_: null) => visiting.jail.warm(),
  visit: async ({ path, filename, draws }: { path: string; filename: string; draws: boolean }) =>
    visiting.visit(path, filename, draws ? { svg: 'rasterize' } : {}),
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
