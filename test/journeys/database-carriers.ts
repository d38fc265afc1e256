import { CamelCasePlugin, Kysely, PGliteDialect, PostgresDialect } from 'kysely'
import pg from 'pg'
import type { Database } from '../../src/database/database.ts'
import { migrate } from '../../src/database/migrate.ts'
import { openDatabase } from '../../src/database/open.ts'
import { pglite } from '../../src/pglite.ts'
import { pgliteFolder } from '../services/pglite.ts'
import { createDatabase, startPostgres } from '../services/postgres.ts'

export type Carried = { readonly name: string; readonly db: () => Database }

/** Every way to hand a database over, on one PostgreSQL and one PGlite, migrated. For `describe` at load time; opened by `open`. */
export const everyCarrier = () => {
  const opened = new Map<string, Database>()
  const ends: (() => Promise<unknown> | void)[] = []
  const carried = (name: string): Carried => ({
    name,
    db: () => {
      const db = opened.get(name)
      if (!db) throw new TypeError(`${name} is not open`)
      return db
    },
  })
  const use = async (name: string, given: Parameters<typeof openDatabase>[0]) => {
    const db = openDatabase(given)
    opened.set(name, db)
    await db.open()
    await migrate(db)
    ends.unshift(() => db.close())
  }

  const open = async () => {
    const server = await startPostgres()
    const { url, drop } = await createDatabase(server)
    const pool = new pg.Pool({ connectionString: url, max: 4 })
    pool.on('error', () => {})
    const folder = await pgliteFolder()
    const embedded = pglite(folder.dataDir)
    ends.unshift(
      () => pool.end(),
      drop,
      () => server.stop(),
      () => folder.remove(),
    )
    await use('PostgreSQL by its address', url)
    await use('PostgreSQL without prepared statements', { url, prepared: false })
    await use('a pg Pool', pool)
    await use('a Kysely on PostgreSQL', new Kysely<unknown>({ dialect: new PostgresDialect({ pool }), plugins: [new CamelCasePlugin()] }))
    await use('pglite(directory)', embedded)
    await use('a Kysely on PGlite', new Kysely<unknown>({ dialect: new PGliteDialect({ pglite: embedded }) }))
    return { url, pool, embedded }
  }
  return {
    carriers: [
      'PostgreSQL by its address',
      'PostgreSQL without prepared statements',
      'a pg Pool',
      'a Kysely on PostgreSQL',
      'pglite(directory)',
      'a Kysely on PGlite',
    ].map(carried),
    open,
    async close() {
      for (const end of ends) await end()
    },
  }
}
