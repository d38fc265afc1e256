import { sql } from 'kysely'
import type { ObjectRole, ObjectState } from '../../core/object.ts'
import type { Queryable } from '../database.ts'

/** An object that its row says is there. */
export interface PresentObject {
  readonly id: string
  readonly role: ObjectRole
  readonly store: string
  readonly key: string
  readonly byteSize: number | null
  /** Lower-case hex; null for what nobody has read yet. */
  readonly sha256: string | null
}

export async function countPresentObjects(db: Queryable): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select count(*)::float8 as count from rindle.media_objects o where o.state = 'present'`.execute(db)
  return rows[0]?.count ?? 0
}

/** In ascending order of their ids, after the one given. */
export async function listPresentObjects(
  db: Queryable,
  { after, limit }: { readonly after: string | null; readonly limit: number },
): Promise<PresentObject[]> {
  const { rows } = await sql<PresentObject>`
    select o.id, o.role, o.store, o.key, o.byte_size::float8 as "byteSize", encode(o.sha256, 'hex') as sha256
      from rindle.media_objects o
     where o.state = 'present' and (${after}::uuid is null or o.id > ${after}::uuid)
     order by o.id
     limit ${limit}::int`.execute(db)
  return rows
}

/** Whether the row still says so. */
export async function isStillPresent(db: Queryable, id: string): Promise<boolean> {
  const { rows } = await sql<{ id: string }>`
    select o.id from rindle.media_objects o where o.id = ${id}::uuid and o.state = 'present'`.execute(db)
  return rows.length > 0
}

/** What is on record for keys of a store, by key. */
export async function listStatesOfKeys(
  db: Queryable,
  { store, keys }: { readonly store: string; readonly keys: readonly string[] },
): Promise<ReadonlyMap<string, ObjectState>> {
  if (keys.length === 0) return new Map()
  const { rows } = await sql<{ key: string; state: ObjectState }>`
    select o.key, o.state from rindle.media_objects o where o.store = ${store}::text and o.key = any(${keys}::text[])`.execute(db)
  return new Map(rows.map(({ key, state }) => [key, state]))
}
