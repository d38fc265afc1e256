import { sql } from 'kysely'
import type { Queryable } from '../database.ts'

/** A hold on variants: each with the fence it is held by. */
export interface VariantHold {
  readonly id: string
  readonly fence: number
}

/** Prolongs the leases of those (variant, fence) pairs that still hold. @returns the ids that do. */
export async function renewVariantLeases(db: Queryable, holds: readonly VariantHold[], until: Date): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    with held as (${stillHeld(holds)})
    update rindle.media_variants v
       set due_at = ${until}::timestamptz
      from held
     where v.id = held.id
    returning v.id`.execute(db)
  return rows.map(({ id }) => id)
}

/** Says how far variants have come, from 0 to 100, while their fences hold. Changes nothing else, and never goes back. */
export async function recordProgress(db: Queryable, holds: readonly VariantHold[], progress: number): Promise<void> {
  await sql`
    with held as (${stillHeld(holds)})
    update rindle.media_variants v
       set progress = ${progress}::smallint
      from held
     where v.id = held.id and v.progress < ${progress}::smallint`.execute(db)
}

/** Locked one after the other by their ids: a worker renews while it tells how far it is, and neither is to end the other in a deadlock. */
const stillHeld = (holds: readonly VariantHold[]) => sql`
  select v.id
    from rindle.media_variants v
    join unnest(${holds.map(({ id }) => id)}::uuid[], ${holds.map(({ fence }) => fence)}::int[]) as h (id, fence)
      on h.id = v.id and h.fence = v.fence
   where v.state = 'processing'
   order by v.id
     for no key update of v`
