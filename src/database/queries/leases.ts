import { sql } from 'kysely'
import type { Queryable } from '../database.ts'

type LeaseName = 'sweep' | 'events' | 'reconcile'

/** A lease that this holder has now: whatever is done under it names its fence. */
export interface Lease {
  readonly name: LeaseName
  readonly fence: number
  readonly clockDoubtedUntil: Date | null
  readonly cursor: EventCursor | null
}

/** How far the history has been read: everything up to (xid, seq), and nothing that is not above `floor`. Text, for they are 64 bits wide. */
export interface EventCursor {
  readonly xid: string
  readonly seq: string
  readonly floor: string
}

interface LeaseRow {
  readonly fence: number
  readonly clock_doubted_until: Date | null
  readonly cursor: EventCursor | null
}

const leaseOf = (name: LeaseName, row: LeaseRow | undefined): Lease | null =>
  row ? { name, fence: Number(row.fence), clockDoubtedUntil: row.clock_doubted_until, cursor: row.cursor } : null

/**
 * Takes a lease that nobody holds, or prolongs it for its holder. One that ends later than anybody may hold it was taken before the
 * database's clock went back, and counts as free.
 *
 * @returns null while another holds it.
 */
export async function claimLease(
  db: Queryable,
  { name, holder, at, seconds }: { readonly name: LeaseName; readonly holder: string; readonly at: Date; readonly seconds: number },
): Promise<Lease | null> {
  const { rows } = await sql<LeaseRow>`
    insert into rindle.leases as t (name, holder, fence, until)
    values (${name}::text, ${holder}::text, 1, ${at}::timestamptz + make_interval(secs => ${seconds}::int))
    on conflict (name) do update
       set holder = excluded.holder,
           fence = case when t.holder = excluded.holder and t.until > ${at}::timestamptz then t.fence else t.fence + 1 end,
           until = excluded.until
     where t.holder = excluded.holder or t.until <= ${at}::timestamptz
        or t.until > ${at}::timestamptz + make_interval(secs => 2 * ${seconds}::int)
    returning t.fence, t.clock_doubted_until, t.cursor`.execute(db)
  return leaseOf(name, rows[0])
}

/** Lets go of a lease, so that another need not wait for its end. */
export async function leaveLease(db: Queryable, { name, holder }: { readonly name: LeaseName; readonly holder: string }): Promise<void> {
  await sql`update rindle.leases t set until = '-infinity' where t.name = ${name}::text and t.holder = ${holder}::text`.execute(db)
}

/**
 * Writes down that the clocks did not go equally far: until then nothing is expired or deleted, by whomever. The latest word counts, since an
 * earlier one may be by a clock that was years ahead.
 */
export async function doubtClock(db: Queryable, until: Date): Promise<void> {
  await sql`
    insert into rindle.leases as t (name, until, clock_doubted_until)
    values ('sweep', '-infinity', ${until}::timestamptz)
    on conflict (name) do update
       set clock_doubted_until = excluded.clock_doubted_until`.execute(db)
}

/** Whether, for now, nothing is to be expired or deleted because the clocks went apart. */
export async function isClockDoubted(db: Queryable, at: Date): Promise<boolean> {
  const { rows } = await sql<{ doubted: boolean }>`
    select coalesce(t.clock_doubted_until > ${at}::timestamptz, false) as doubted from rindle.leases t where t.name = 'sweep'`.execute(db)
  return rows[0]?.doubted ?? false
}

/** Remembers how far the history was read. @returns false when the lease was lost meanwhile; then nothing is written. */
export async function moveCursor(db: Queryable, lease: Pick<Lease, 'name' | 'fence'>, cursor: EventCursor): Promise<boolean> {
  const { rows } = await sql<{ name: string }>`
    update rindle.leases t
       set cursor = ${JSON.stringify(cursor)}::text::jsonb
     where t.name = ${lease.name}::text and t.fence = ${lease.fence}::bigint
    returning t.name`.execute(db)
  return rows.length === 1
}
