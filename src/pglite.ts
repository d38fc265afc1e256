import type { PGlite } from '@electric-sql/pglite'
import { RindleError } from './core/errors.ts'
import { embed } from './database/embedded.ts'

/**
 * The embedded database in `directory`, for `createRindle({ database })` and for the app's own queries alike: the handle is a PGlite
 * that Drizzle and Kysely take. Nothing happens until its first use, which creates the directory when it is not there (seconds) and
 * locks it.
 *
 * It serves one process: the worker runs in the app, and a second process is refused with `database_in_use` until the first has ended,
 * by whatever end. Commits survive the death of the process, but not a power loss: it does not sync its files to disk. Set a
 * `DATABASE_URL` for more. `memory://` forgets everything with the process.
 *
 * @throws RindleError (on first use) `peer_missing`, `database_in_use`
 */
export const pglite = (directory: string): PGlite => embed<PGlite>(directory, loadPglite)

const loadPglite = async () => {
  const { PGlite } = await import('@electric-sql/pglite').catch((cause: unknown) => {
    throw new RindleError('peer_missing', { packageName: '@electric-sql/pglite', neededFor: 'pglite()' }, { cause })
  })
  return { create: (dataDir: string) => PGlite.create(dataDir) }
}
