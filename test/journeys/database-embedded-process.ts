import { PGlite } from '@electric-sql/pglite'
import { sql } from 'kysely'
import { isRindleError } from '../../src/core/errors.ts'
import { openDatabase } from '../../src/database/open.ts'
import { pglite } from '../../src/pglite.ts'

/** Another process on the same directory: opens it by our handle or by a PGlite of its own, says how that went, and then writes on and on. */
const [directory = '', way = 'handle'] = process.argv.slice(2)

const tell = (what: object) => process.stdout.write(`${JSON.stringify(what)}\n`)

try {
  const db = openDatabase(way === 'handle' ? pglite(directory) : new PGlite(directory))
  await db.open()
  await db.script('create table if not exists public.marks (n integer primary key)')
  tell({ opened: true })
  for (let n = 1; way === 'handle'; n += 1) {
    await sql`insert into public.marks values (${n}::integer)`.execute(db.pool)
    tell({ wrote: n })
  }
} catch (err) {
  tell(isRindleError(err) ? { code: err.code, details: err.details, message: err.message } : { code: String(err) })
  process.exit(3)
}
