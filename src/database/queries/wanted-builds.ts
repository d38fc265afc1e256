import { sql } from 'kysely'
import { assetMachine, type AssetState } from '../../core/asset.ts'
import { secondsAfter, wakeUpSeconds } from '../../core/patience.ts'
import type { JobRequest } from '../../core/ports/queue.ts'
import { runMachine } from '../../core/run.ts'
import type { Reassessment } from '../../core/variant-plan.ts'
import { variantMachine } from '../../core/variant.ts'
import type { Queryable } from '../database.ts'
import { moved } from '../move.ts'
import { moves, type Recorder } from '../statement.ts'
import { lapsedVariantObjects } from './doomed.ts'

/** Variants of a locked asset, and what becomes of the asset by them. */
interface Chosen {
  readonly assetId: string
  readonly state: AssetState
  readonly path: readonly Reassessment[]
  readonly variants: readonly { readonly id: string; readonly name: string }[]
  readonly actor?: string
  readonly reason?: string
}

/** Cancels variants whoever makes them: their fences go up, what was reserved for them is doomed, and the attempt at them has ended. */
export async function writeCancellation(
  tx: Queryable,
  ctx: Recorder,
  { problem, ...chosen }: Chosen & { readonly problem: { readonly code: string; readonly message: string } },
): Promise<void> {
  const at = ctx.clock.now()
  await moves(
    tx,
    ctx,
    [
      touchedAsset(chosen),
      moved('variants', variantMachine, ['cancel'], {
        set: { fence: sql`t.fence + 1`, progress: 0, error_code: problem.code, error_detail: problem.message },
        ...rowsOf(chosen),
      }),
      lapsedVariantObjects(at),
      moved('run', runMachine, ['fail'], {
        set: { error_code: problem.code, finished_at: at },
        from: sql`"asset" a`,
        where: sql`t.asset_id = a.id and t.variant_names && ${chosen.variants.map(({ name }) => name)}::text[]`,
        expect: null,
      }),
    ],
    { at, ...by(chosen) },
  )
}

/** Has variants made that nobody makes: what is served of them goes on being served until its successor is there. */
export async function writeRequeue(
  tx: Queryable,
  ctx: Recorder,
  { jobs, ...chosen }: Chosen & { readonly jobs: readonly JobRequest[] },
): Promise<void> {
  const at = ctx.clock.now()
  await moves(
    tx,
    ctx,
    [
      touchedAsset(chosen),
      moved('variants', variantMachine, ['enqueue'], {
        set: { fence: sql`t.fence + 1`, progress: 0, due_at: secondsAfter(at, wakeUpSeconds), error_code: null, error_detail: null },
        ...rowsOf(chosen),
      }),
      lapsedVariantObjects(at),
    ],
    { at, jobs, ...by(chosen) },
  )
}

const touchedAsset = ({ assetId, state, path }: Chosen) =>
  moved('asset', assetMachine, path, {
    set: { due_at: sql`t.due_at` },
    where: sql`t.id = ${assetId}::uuid and t.state = ${state}::text`,
  })

const rowsOf = ({ variants }: Chosen) => ({
  from: sql`"asset" a`,
  where: sql`t.asset_id = a.id and t.id = any(${variants.map(({ id }) => id)}::uuid[])`,
  expect: variants.length,
  returning: ['fence'],
})

const by = ({ actor, reason }: Chosen) => ({ ...(actor === undefined ? {} : { actor }), ...(reason === undefined ? {} : { reason }) })
