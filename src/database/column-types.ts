import { RindleError } from '../core/errors.ts'
import { migrations } from './migrations/index.ts'

/** What a column is declared as, read off the migrations. @throws RindleError `argument_invalid` for a column that is not there. */
export const typeOfColumn = (table: string, column: string): string => {
  types ??= readTypes()
  const type = types.get(`${table}.${column}`)
  if (type === undefined) throw new RindleError('argument_invalid', { argument: column, problem: `${table} has no such column` })
  return type
}

let types: ReadonlyMap<string, string> | null = null

const readTypes = (): ReadonlyMap<string, string> => {
  const read = new Map<string, string>()
  for (const { sql } of migrations) {
    for (const [, table, body] of sql.matchAll(/^create table rindle\.(\w+) \(\n(.*?)\n\);/gms))
      for (const [, column, type] of (body ?? '').matchAll(/^ {2}(?!constraint )(\w+) ([a-z0-9]+(?:\[\])?)/gm))
        read.set(`${table}.${column}`, type ?? '')
    for (const [, table, column, type] of sql.matchAll(/alter table rindle\.(\w+) add column (\w+) ([a-z0-9]+(?:\[\])?)/g))
      read.set(`${table}.${column}`, type ?? '')
  }
  return read
}
