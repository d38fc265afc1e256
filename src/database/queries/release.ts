import { sql } from 'kysely'
import { assetMachine, type AssetState } from '../../core/asset.ts'
import { secondsAfter, wakeUpSeconds } from '../../core/patience.ts'
import type { JobRequest } from '../../core/ports/queue.ts'
import type { Pardon } from '../../core/quarantine.ts'
import type { Queryable } from '../database.ts'
import { also, moved } from '../move.ts'
import { moves, type Recorder } from '../statement.ts'

/** An asset that is held back, as who would release it looks at it. */
interface HeldBack {
  readonly state: AssetState
  readonly code: string
  readonly details: object
  readonly pardon: Pardon | null
  /** Whether the bytes are still kept. */
  readonly isKept: boolean
  /** Whether a slot let go of it meanwhile. */
  readonly wasReleased: boolean
}

/** To be asked once the asset is locked. */
export async function findHeldBack(tx: Queryable, assetId: string): Promise<HeldBack | null> {
  const { rows } = await sql<{
    state: AssetState
    code: string | null
    details: object | null
    pardon: Pardon | null
    is_kept: boolean
    was_released: boolean
  }>`
    select a.state, a.error_code as code, a.metadata -> 'refused' as details, a.pardon,
           exists (select from rindle.media_objects o where o.id = a.object_id and o.state = 'present') as is_kept,
           exists (select from rindle.media_attachments m where m.asset_id = a.id and m.standing = 'released') as was_released
      from rindle.media_assets a
     where a.id = ${assetId}::uuid`.execute(tx)
  const [row] = rows
  if (!row) return null
  const { state, code, details, pardon, is_kept: isKept, was_released: wasReleased } = row
  return { state, code: code ?? '', details: details ?? {}, pardon, isKept, wasReleased }
}

/**
 * Sends a locked asset from quarantine back to the gate, with the pardon on its row. Attachments that were released while it was kept are due
 * now: nothing keeps them any more.
 */
export async function writeRelease(
  tx: Queryable,
  ctx: Recorder,
  release: { readonly assetId: string; readonly pardon: Pardon; readonly wasReleased: boolean },
): Promise<void> {
  const { assetId, pardon, wasReleased } = release
  const at = ctx.clock.now()
  const due = sql`
    update rindle.media_attachments t set due_at = ${at}::timestamptz
      from "asset" a
     where t.asset_id = a.id and t.standing = 'released'
    returning t.id`
  const jobs: JobRequest[] = [
    { name: 'promote_asset', id: assetId },
    ...(wasReleased ? [{ name: 'purge_asset', id: assetId } as const] : []),
  ]
  await moves(
    tx,
    ctx,
    [
      moved('asset', assetMachine, ['release'], {
        set: {
          ...{ pardon: sql`${JSON.stringify(pardon)}::text::jsonb`, due_at: secondsAfter(at, wakeUpSeconds) },
          ...{ error_code: null, error_detail: null, metadata: sql`t.metadata - 'refused'` },
        },
        where: sql`t.id = ${assetId}::uuid`,
      }),
      ...(wasReleased ? [also('due', due, { expect: null })] : []),
    ],
    { at, actor: pardon.actor, reason: pardon.reason, jobs },
  )
}
