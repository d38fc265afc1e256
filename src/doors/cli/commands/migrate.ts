import { queueMigrations } from '../../../adapters/queue/install.ts'
import { contextOf } from '../../../context.ts'
import { RindleError } from '../../../core/errors.ts'
import { grantsFor, grantTo, printMigrations } from '../../../database/migrate.ts'
import type { Command, Flags } from '../command.ts'

const parts = { queue: queueMigrations }

export const migrate: Command = {
  name: 'migrate',
  summary: 'Bring the database to what this version needs. The only command that changes the schema.',
  effect: 'changes',
  flags: {
    print: { help: 'Print the script for an empty database instead, for people who run DDL by hand. Needs no app.' },
    'grant-to': { help: 'Let that role do everything but migrate.', value: 'ROLE' },
  },
  async run({ flags, app }) {
    const role = roleOf(flags)
    if (flags['print']) {
      const script = await printMigrations(parts)
      return { ok: true, summary: 'printed', rows: [], text: role === null ? script : `${script}\n${grantsFor(role, parts)}\n` }
    }
    const rindle = await app()
    const { applied, queueInstalled, version } = await rindle.migrate()
    if (role !== null) await grantTo(contextOf(rindle).db, role, parts)
    const rows = [
      ...applied.map(({ number, name }) => ({ migration: `${number} ${name}`, done: 'applied' })),
      ...(queueInstalled ? [{ migration: 'queue', done: 'installed' }] : []),
      ...(role === null ? [] : [{ migration: `grants to ${role}`, done: 'given' }]),
    ]
    return {
      ok: true,
      summary: rows.length === 0 ? `Nothing to do: the schema is at version ${version}.` : `The schema is at version ${version}.`,
      rows,
    }
  },
}

const roleOf = (flags: Flags): string | null => {
  const role = flags['grant-to']
  if (role === undefined) return null
  if (typeof role === 'string' && role !== '') return role
  throw new RindleError('argument_invalid', { argument: '--grant-to', problem: 'name a role of the database' })
}
