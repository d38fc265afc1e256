import { type Engine, engines } from '../test/services/engines.ts'
import { hasPostgres, sharedServerVariable, startPostgres } from '../test/services/postgres.ts'

/** @throws where it cannot run here. */
export const engineNamed = (wanted: 'postgres' | 'pglite'): Engine => {
  const engine = engines.find(({ name }) => name === wanted)
  if (!engine || engine.skip) throw new Error(`${wanted} is needed: ${engine ? engine.skip : 'no such engine'}`)
  return engine
}

/** PostgreSQL where there is one, else PGlite. */
export const chosenEngine = (): Engine => engineNamed(hasPostgres() ? 'postgres' : 'pglite')

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
