import type { Query } from './witness-options.ts'

/** A row with a date at which somebody is to come for it: because it is owed work, or because it is kept until then. */
export interface DatedRow {
  readonly entity: string
  readonly id: string
  readonly state: string
  readonly dueAt: Date
}

/** Every row that has a date, the first one first. Of those, `listOwedRows` of the library tells what is owed work. */
export const listDated = async (query: Query, limit = 100): Promise<readonly DatedRow[]> => {
  const rows = await query(`${dated} order by 4, 2 limit ${limit}`)
  return rows.map(({ entity, id, state, due_at }) => ({
    ...{ entity: String(entity), id: String(id), state: String(state) },
    dueAt: due_at instanceof Date ? due_at : new Date(Number.NaN),
  }))
}

/** Some of them for people. */
export const spokenRows = (rows: readonly DatedRow[]): string =>
  rows
    .slice(0, 6)
    .map(({ entity, id, state, dueAt }) => `${entity} ${id} (${state}, due ${dueAt.toISOString()})`)
    .join(', ')

const tables = [
  ['asset', 'media_assets', 'state'],
  ['variant', 'media_variants', 'state'],
  ['upload_session', 'media_upload_sessions', 'state'],
  ['object', 'media_objects', 'state'],
  ['attachment', 'media_attachments', 'standing'],
] as const

const dated = tables
  .map(
    ([entity, table, state]) => `select '${entity}' as entity, id, ${state} as state, due_at from rindle.${table} where due_at is not null`,
  )
  .join(' union all ')
