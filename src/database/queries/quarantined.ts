import { sql } from 'kysely'
import type { Queryable } from '../database.ts'

/** A file that is held back, for whoever decides about it. */
export interface QuarantinedAsset {
  readonly id: string
  readonly profile: string
  readonly filename: string
  readonly contentType: string
  readonly byteSize: number | null
  readonly code: string
  /** Why, as it was said then. */
  readonly message: string
  /** When its bytes go; null when none are kept. */
  readonly keptUntil: Date | null
}

/** Newest first; after the id `before`, where that is given. */
export async function listQuarantined(
  db: Queryable,
  page: { readonly profile: string | null; readonly before: string | null; readonly limit: number },
): Promise<QuarantinedAsset[]> {
  const { rows } = await sql<QuarantinedAsset>`
    select a.id, a.profile, a.filename,
           a.content_type as "contentType",
           a.byte_size as "byteSize",
           coalesce(a.error_code, '') as code,
           coalesce(a.error_detail, '') as message,
           case when a.object_id is not null then a.due_at end as "keptUntil"
      from rindle.media_assets a
     where a.state = 'quarantined'
       and (${page.profile}::text is null or a.profile = ${page.profile}::text)
       and (${page.before}::uuid is null or a.id < ${page.before}::uuid)
     order by a.id desc
     limit ${page.limit}::int`.execute(db)
  return rows
}
