import { parseArgs } from 'node:util'
import { startCohort } from '../examples/cohort/server.ts'

// Serves the demo app until it is interrupted; its database and its files are kept in a folder that git ignores.
const { values } = parseArgs({ options: { port: { type: 'string' } } })
const cohort = await startCohort({ port: Number(values.port ?? process.env['PORT'] ?? 3000) })
console.log(`Cohort is at ${cohort.url}`)

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    void cohort.stop().then(() => process.exit(0))
  })
}
