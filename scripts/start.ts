import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { isRindleError } from 'rindle'
import { build } from 'vite'
import { startCohort } from '../examples/cohort/server.ts'

const cohortFolder = new URL('../examples/cohort/', import.meta.url).pathname
const { values } = parseArgs({
  options: {
    port: { type: 'string', default: process.env['PORT'] ?? '3000' },
    folder: { type: 'string', default: `${cohortFolder}.data` },
  },
})

// Builds the page of the demo app and serves it until it is interrupted. Its database and its files stay in a folder that git ignores.
await build({ configFile: `${cohortFolder}vite.config.ts` })
const cohort = await startCohort({ folder: resolve(values.folder), port: Number(values.port) }).catch((error: unknown) => {
  const isPortTaken = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE'
  if (!isPortTaken && !isRindleError(error)) throw error
  console.error(
    isPortTaken ? `Port ${values.port} is taken: stop what holds it, or choose another: npm start -- --port 3001` : error.message,
  )
  process.exit(1)
})
console.log(`Cohort is at ${cohort.url}`)

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    void cohort.stop().then(() => process.exit(0))
  })
}
