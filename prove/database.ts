import { type Engine, engines } from '../test/services/engines.ts'
import { hasPostgres, sharedServerVariable, startPostgres } from '../test/services/postgres.ts'

/** PostgreSQL where there is one, else PGlite. */
export const chosenEngine = (): Engine => {
  const found = ['postgres', 'pglite'].map((name) => engines.find((one) => one.name === name)).find((one) => one && !one.skip)
  if (!found) throw new Error('there is no database to prove anything on')
  return found
}

/** Has every database that is opened meanwhile in the same PostgreSQL. */
export const withOneServer = async <T>(run: () => Promise<T>): Promise<T> => {
  if (!hasPostgres() || process.env[sharedServerVariable]) return run()
  const server = await startPostgres()
  process.env[sharedServerVariable] = server.url
  try {
    return await run()
  } finally {
    delete process.env[sharedServerVariable]
    await server.stop()
  }
}
