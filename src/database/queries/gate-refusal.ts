import { sql } from 'kysely'
import { assetMachine } from '../../core/asset.ts'
import { objectMachine } from '../../core/object.ts'
import { secondsAfter, wakeUpSeconds } from '../../core/patience.ts'
import { type Json, storableJson, storableText } from '../../core/storable.ts'
import { variantMachine } from '../../core/variant.ts'
import type { Queryable } from '../database.ts'
import { moved } from '../move.ts'
import { moves, type Recorder, type Step } from '../statement.ts'
import { doomed } from './doomed.ts'
import type { GateClaim, GateObject } from './gate-claim.ts'
import { bytesOf, doomOthers, endedRun, jobsOf, type SealedBytes } from './gate.ts'

interface GateRefusal {
  readonly claim: GateClaim
  readonly code: string
  readonly message: string
  readonly details: object
  /** The sealed copy when it landed, else the source when that is to be kept, else nothing. */
  readonly kept: { readonly object: GateObject; readonly bytes: SealedBytes | null } | null
  /** Of what came. Null leaves what is on the row. */
  readonly receivedSha256: string | null
  readonly keepUntil: Date
  readonly figures: Readonly<Record<string, unknown>>
}

/**
 * Writes the gate's no, in words, and keeps the bytes for a while.
 *
 * @throws RindleError `statement_missed` when another worker holds the asset now; nothing was changed.
 */
export async function refuseAsset(db: Queryable, ctx: Recorder, refusal: GateRefusal): Promise<void> {
  const { claim, kept } = refusal
  const at = ctx.clock.now()
  const bytes = kept?.bytes ?? null
  const keptId = kept?.object.id ?? null
  await moves(
    db,
    ctx,
    [
      moved('asset', assetMachine, ['refuse'], {
        set: {
          ...{
            error_code: refusal.code,
            error_detail: storableText(refusal.message),
            object_id: keptId,
            due_at: kept ? refusal.keepUntil : null,
          },
          metadata: sql`t.metadata || ${JSON.stringify({ refused: keptOf(refusal.details) })}::text::jsonb`,
          ...(bytes ? { byte_size: bytes.byteSize } : {}),
          ...(refusal.receivedSha256 === null ? {} : { received_sha256: bytesOf(refusal.receivedSha256) }),
        },
        where: heldByClaim(claim),
        returning: ['fence'],
      }),
      ...(claim.hasVariants ? [cancelled] : []),
      ...(bytes && kept
        ? [
            moved('kept', objectMachine, ['confirm'], {
              set: { byte_size: bytes.byteSize, sha256: bytesOf(bytes.sha256), etag: bytes.etag, version: bytes.version },
              from: sql`"asset" a`,
              where: sql`t.id = ${kept.object.id}::uuid and t.asset_id = a.id and t.fence = a.fence`,
            }),
          ]
        : []),
      doomOthers(at, keptId, claim.source?.id ?? null),
      ...(claim.hasVariants ? [cancelledObjects(at)] : []),
      endedRun(at, { runId: claim.runId, code: refusal.code, figures: JSON.stringify(refusal.figures) }, 'succeed'),
    ],
    { at, reason: refusal.code, jobs: jobsOf(claim, keptId) },
  )
}

/** What a scanner or a decoder said of the file; beyond what a row may hold the sentence alone says it. */
const keptOf = (details: object): Json => {
  const kept = storableJson(details, { maxBytes: 16_384, maxDepth: 8 })
  return kept.storable ? kept.value : {}
}

const cancelled = moved('cancelled', variantMachine, ['cancel'], {
  set: { fence: sql`t.fence + 1` },
  from: sql`"asset" a`,
  where: sql`t.asset_id = a.id`,
  expect: null,
})

const cancelledObjects = (at: Date): Step =>
  moved('cancelled_objects', objectMachine, ['doom'], {
    set: doomed(at),
    from: sql`"cancelled" c`,
    where: sql`t.variant_id = c.id and t.state = 'reserved'`,
    expect: null,
  })

/**
 * Gives an asset back to the queue after a fault, for later.
 *
 * @throws RindleError `statement_missed` when another worker holds the asset now; nothing was changed.
 */
export async function returnAsset(
  db: Queryable,
  ctx: Recorder,
  { claim, code, delaySeconds }: { readonly claim: GateClaim; readonly code: string; readonly delaySeconds: number },
): Promise<void> {
  const at = ctx.clock.now()
  await moves(
    db,
    ctx,
    [
      moved('asset', assetMachine, ['give_back'], {
        set: { due_at: secondsAfter(at, delaySeconds + wakeUpSeconds) },
        where: heldByClaim(claim),
      }),
      moved('sealed', objectMachine, ['doom'], {
        set: doomed(at),
        from: sql`"asset" a`,
        where: sql`t.asset_id = a.id and t.role = 'original' and t.state = 'reserved' and t.fence = ${claim.fence}::int`,
        expect: null,
      }),
      endedRun(at, { runId: claim.runId, code, figures: '{}' }, 'fail'),
    ],
    { at, reason: code, jobs: [{ name: 'promote_asset', id: claim.asset.id, delaySeconds }] },
  )
}

const heldByClaim = (claim: GateClaim) => sql`t.id = ${claim.asset.id}::uuid and t.fence = ${claim.fence}::int and t.state = 'analyzing'`
