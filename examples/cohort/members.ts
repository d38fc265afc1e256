import type { PGlite } from '@electric-sql/pglite'

export interface MemberRow {
  readonly id: string
  readonly name: string
  readonly role: string
  readonly city: string
}

const people: readonly MemberRow[] = [
  { id: 'ada', name: 'Ada Moreno', role: 'Student', city: 'Valencia' },
  { id: 'tomas', name: 'Tomas Lindqvist', role: 'Teacher', city: 'Uppsala' },
  { id: 'wanjiru', name: 'Wanjiru Kamau', role: 'Student', city: 'Nakuru' },
  { id: 'hana', name: 'Hana Sato', role: 'Student', city: 'Kanazawa' },
  { id: 'eoin', name: 'Eoin Ó Briain', role: 'Mentor', city: 'Galway' },
  { id: 'marta', name: 'Marta Kowalczyk', role: 'Student', city: 'Gdynia' },
]

/** Cohort's own table, in the same database as the media. */
export async function prepareMembers(database: PGlite): Promise<void> {
  await database.exec(`
    create table if not exists members (
      id text primary key,
      name text not null,
      role text not null,
      city text not null,
      picture_changed_at timestamptz
    )`)
  for (const { id, name, role, city } of people) {
    await database.query('insert into members (id, name, role, city) values ($1, $2, $3, $4) on conflict (id) do nothing', [
      id,
      name,
      role,
      city,
    ])
  }
}

export const listMembers = async (database: PGlite): Promise<MemberRow[]> =>
  (await database.query<MemberRow>('select id, name, role, city from members order by name')).rows
