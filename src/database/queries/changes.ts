import { sql } from 'kysely'
import type { Queryable } from '../database.ts'

/** The payload is ids of assets, with commas between them. */
export const changesChannel = 'rindle_changes'

/** Tells everybody who watches the asset once the transaction is committed, and nobody if it is not. */
export async function announceAtCommit(tx: Queryable, assetId: string): Promise<void> {
  await sql`select pg_notify(${changesChannel}::text, ${assetId}::text)::text as sent`.execute(tx)
}
