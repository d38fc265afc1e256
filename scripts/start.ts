import { parseArgs } from 'node:util'
import { build } from 'vite'
import { startCohort } from '../examples/cohort/server.ts'

const { values } = parseArgs({ options: { port: { type: 'string' } } })
const cohortFolder = new URL('../examples/cohort/', import.meta.url).pathname

// Builds the page of the demo app and serves it until it is interrupted. Its database and its files stay in a folder that git ignores.
await build({ configFile: `${cohortFolder}vite.config.ts` })
const cohort = await startCohort({ folder: `${cohortFolder}.data`, port: Number(values.port ?? process.env['PORT'] ?? 3000) })
console.log(`Cohort is at ${cohort.url}`)

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    void cohort.stop().then(() => process.exit(0))
  })
}
