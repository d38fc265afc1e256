import { sql } from 'kysely'
import { objectMachine } from '../../core/object.ts'
import type { Queryable } from '../database.ts'
import { also, born } from '../move.ts'
import { moves, type Recorder } from '../statement.ts'
import type { GateClaim, GateObject } from './gate-claim.ts'

/**
 * Reserves a further sealed key under the claim's fence, for a file that was rewritten at the gate, and renews the lease with it: whoever
 * waits to take the asset over then misses, and so never overlooks the new row.
 *
 * @throws RindleError `statement_missed` when the lease is over; nothing was changed.
 */
export async function reserveRewritten(
  db: Queryable,
  ctx: Recorder,
  wish: {
    readonly claim: GateClaim
    readonly object: { readonly id: string; readonly store: string; readonly key: string; readonly contentType: string }
    readonly leaseUntil: Date
  },
): Promise<GateObject> {
  const { claim, leaseUntil } = wish
  const { id, store, key, contentType } = wish.object
  const at = ctx.clock.now()
  const held = sql`
    update rindle.media_assets t set due_at = greatest(t.due_at, ${leaseUntil}::timestamptz)
     where t.id = ${claim.asset.id}::uuid and t.fence = ${claim.fence}::int and t.state = 'analyzing' and t.due_at > ${at}::timestamptz
    returning t.id, t.fence`
  await moves(
    db,
    ctx,
    [
      also('asset', held, { expect: 1 }),
      born('rewritten', objectMachine, [], {
        row: { id, asset_id: claim.asset.id, role: 'original', store, key, content_type: contentType },
        columns: { fence: sql`a.fence` },
        from: sql`"asset" a`,
      }),
    ],
    { at },
  )
  return { id, role: 'original', store, key, etag: null, version: null }
}
