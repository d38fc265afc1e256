import { sql } from 'kysely'
import type { Queryable } from '../database.ts'

/** A row that somebody is to come for. */
export interface OwedRow {
  readonly entity: 'asset' | 'variant' | 'upload_session' | 'object' | 'attachment'
  readonly id: string
  readonly state: string
  readonly dueAt: Date
}

/**
 * What a worker still has to do, the most overdue first. What only waits for its time is left out until it is due: sessions, open ones for their
 * client, ended ones to be forgotten; objects that are watched, and a purged asset as long as they are; files in quarantine while they are kept;
 * assets that nobody attached; what is awaited below `unmanaged/`.
 */
export async function listOwedRows(db: Queryable, { at, limit }: { readonly at: Date; readonly limit: number }): Promise<OwedRow[]> {
  const isDue = sql`t.due_at <= ${at}::timestamptz`
  const { rows } = await sql<OwedRow>`
    select 'asset' as entity, t.id, t.state, t.due_at as "dueAt"
      from rindle.media_assets t
     where t.due_at is not null
       and (${isDue} or t.state in ('validating', 'analyzing')
            or (t.state = 'deleted'
                and not exists (select from rindle.media_objects o where o.asset_id = t.id)
                and not exists (select from rindle.media_upload_sessions s where s.asset_id = t.id and s.due_at > ${at}::timestamptz)))
     union all
    select 'variant', t.id, t.state, t.due_at from rindle.media_variants t where t.due_at is not null
     union all
    select 'upload_session', t.id, t.state, t.due_at from rindle.media_upload_sessions t where ${isDue}
     union all
    select 'object', t.id, t.state, t.due_at from rindle.media_objects t where t.due_at is not null and (${isDue} or t.state = 'doomed')
     union all
    select 'attachment', t.id, t.standing, t.due_at
      from rindle.media_attachments t
     where t.due_at is not null
       and (${isDue} or t.standing <> 'released' or not exists (select from rindle.media_assets a
                                     where a.id = t.asset_id and a.state = 'quarantined' and a.object_id is not null))
     order by 4, 2
     limit ${limit}::int`.execute(db)
  return rows
}
