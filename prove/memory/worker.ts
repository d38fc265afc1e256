import { openArchive } from './archive.ts'
import { serve } from './peer.ts'
import { comeToRest, peakSinceRest } from './resident.ts'

/** The worker process of the same app: every byte passes through it once, on its way into the hash. */
const rindle = openArchive(JSON.parse(process.argv[2] ?? '{}'))
const worker = rindle.work()
worker.failed.catch((err: unknown) => {
  console.error(err)
  process.exit(1)
})

const commands = {
  rest: (_: null) => comeToRest(),
  peak: async (_: null) => peakSinceRest(),
}
export type WorkerCommands = typeof commands

serve(commands)
