import { setTimeout as wait } from 'node:timers/promises'
import type { RindleContext } from '../../context.ts'
import { type Check, fine, problem, warning } from '../../core/diagnosis.ts'
import { isRindleError } from '../../core/errors.ts'
import { checkSchemaVersion } from '../../database/migrate.ts'
import { describeServer, listMissingRights } from '../../database/queries/diagnosis.ts'

const oldestServer = 150_000
const toWrite = 'Give createRindle({ database }) the address of the primary, or take the setting away: no file can be taken in.'
const channel = 'rindle_doctor'
const hearWithinMs = 3_000

/** The record itself: everything else is read from it. */
export const checksOfDatabase: readonly Check<RindleContext>[] = [
  {
    name: 'database',
    means: 'It answers, and is PostgreSQL 15 or newer.',
    async look({ db }) {
      await db.open()
      const { name, number } = await describeServer(db.pool)
      if (db.engine === 'pglite') return [fine(`The embedded database answers (PostgreSQL ${name}); it serves one process.`)]
      if (number < oldestServer) return [problem(`PostgreSQL ${name} answers, which is too old.`, 'Move to PostgreSQL 15 or newer.')]
      return [fine(`PostgreSQL ${name} answers.`)]
    },
  },
  {
    name: 'schema',
    means: 'Both schemas, the library’s and the queue’s, are what this version needs.',
    needs: 'database',
    async look({ db, queue }) {
      try {
        await checkSchemaVersion(db.pool)
        await queue.open()
      } catch (err) {
        if (!isRindleError(err) || err.code !== 'schema_version_mismatch') throw err
        const cure = 'newer' in err.details ? 'Deploy the version that brought it there.' : 'Run `rindle migrate`.'
        return [problem(err.message, cure)]
      }
      return [fine('The schema is what this version needs.')]
    },
  },
  {
    name: 'rights',
    means: 'The server can be written to, and the role that Rindle connects as may read and write its tables; it needs to own nothing.',
    needs: 'schema',
    async look({ db }) {
      if ((await describeServer(db.pool)).isReadOnly)
        return [problem('The server answers and can only be read: it is a standby, or default_transaction_read_only is on.', toWrite)]
      const missing = await listMissingRights(db.pool)
      const cure = 'Give them, as the owner of the tables: `rindle migrate --grant-to ROLE`.'
      return missing.length === 0
        ? [fine('The role may read and write every table.')]
        : missing.map(({ name, rights }) => problem(`The role may not ${rights.join(', ')}.`, cure, name))
    },
  },
  {
    name: 'notifications',
    means: 'What one connection says, another hears: otherwise workers find their work by asking now and then.',
    needs: 'database',
    async look({ db }) {
      const heard = Promise.withResolvers<boolean>()
      const stop = await db.listen(channel, () => heard.resolve(true))
      const cure = "Give a pooler's database as { url, directUrl }, or hand in an address or a Pool instead of a Kysely."
      if (!stop) return [warning('This connection cannot listen, so workers ask for work every few seconds.', cure)]
      try {
        await db.notify(channel, '')
        const isHeard = await Promise.race([heard.promise, wait(hearWithinMs, false, { ref: false })])
        return [isHeard ? fine('Notifications arrive.') : warning(`No notification arrived within ${hearWithinMs / 1000} s.`, cure)]
      } finally {
        await stop()
      }
    },
  },
]
