import { sql } from 'kysely'
import type { Queryable } from '../database.ts'

/** Those of a store's keys that a row knows, whatever its state. */
export async function listKnownKeys(
  db: Queryable,
  { store, keys }: { readonly store: string; readonly keys: readonly string[] },
): Promise<ReadonlySet<string>> {
  if (keys.length === 0) return new Set()
  const { rows } = await sql<{ key: string }>`
    select o.key from rindle.media_objects o where o.store = ${store}::text and o.key = any(${keys}::text[])`.execute(db)
  return new Set(rows.map(({ key }) => key))
}

/**
 * Those of the objects that this very database has deleted and forgotten, by its history, which goes back thirty days. Reads all of it: meant
 * for many at a time, and seldom.
 */
export async function listForgottenObjects(db: Queryable, ids: readonly string[]): Promise<ReadonlySet<string>> {
  if (ids.length === 0) return new Set()
  const { rows } = await sql<{ id: string }>`
    select distinct m.entity_id as id from rindle.state_moves m
     where m.entity = 'object' and m.to_state = 'gone' and m.entity_id = any(${ids}::uuid[])`.execute(db)
  return new Set(rows.map(({ id }) => id))
}

/** An upload in parts as a store names it. */
export interface NamedUpload {
  readonly key: string
  readonly uploadId: string
}

/** Those of a store's uploads that the object of an open session still names, by their ids. */
export async function listOpenUploads(
  db: Queryable,
  { store, uploads }: { readonly store: string; readonly uploads: readonly NamedUpload[] },
): Promise<ReadonlySet<string>> {
  if (uploads.length === 0) return new Set()
  const { rows } = await sql<{ upload_id: string }>`
    select o.upload_id
      from unnest(${uploads.map(({ key }) => key)}::text[], ${uploads.map(({ uploadId }) => uploadId)}::text[]) as u (key, upload_id)
      join rindle.media_objects o on o.store = ${store}::text and o.key = u.key and o.upload_id = u.upload_id
     where o.state = 'reserved'`.execute(db)
  return new Set(rows.map(({ upload_id }) => upload_id))
}
