import { type RawBuilder, sql } from 'kysely'
import { assetMachine, type AssetState, deliverableStates } from '../../core/asset.ts'
import { objectMachine } from '../../core/object.ts'
import { wakeUpSeconds } from '../../core/patience.ts'
import { runMachine } from '../../core/run.ts'
import type { VariantFacts } from '../../core/variant-facts.ts'
import type { Reassessment } from '../../core/variant-plan.ts'
import { variantMachine } from '../../core/variant.ts'
import type { Queryable } from '../database.ts'
import { also, moved } from '../move.ts'
import { type MoveOptions, moves, type Recorder, shapedMoves, type Step } from '../statement.ts'
import { doomed } from './doomed.ts'
import type { VariantHold } from './variants.ts'

/** What became of one variant that this worker held. */
export type VariantOutcome = VariantHold & { readonly name: string; readonly digest: string; readonly objectId: string | null } & (
    | {
        readonly result: 'stored'
        readonly etag: string
        readonly version: string | null
        readonly sha256: string
        readonly byteSize: number
        readonly contentType: string
        readonly facts: VariantFacts
      }
    | { readonly result: 'failed'; readonly code: string; readonly message: string }
    | { readonly result: 'later'; readonly delaySeconds: number }
  )

export interface BuildSettlement {
  readonly asset: { readonly id: string; readonly revision: number; readonly state: AssetState }
  readonly path: readonly Reassessment[]
  /** Why the asset is not whole, when its original is; absent leaves what is there. */
  readonly problem?: { readonly code: string; readonly message: string }
  /** Of those variants that still hold. */
  readonly outcomes: readonly VariantOutcome[]
  /** Ids of those stored ones that are wanted otherwise by now. */
  readonly outdated: readonly string[]
  /** Keys that were reserved for variants that no longer hold. */
  readonly abandoned: readonly string[]
  /** False when no variant can have had an object before. */
  readonly mayReplace: boolean
  /** What is to be made of the asset after this, and when; those that are to be made later are among it. */
  readonly jobs: NonNullable<MoveOptions['jobs']>
  /** The attempt that ends with this; null while more of it is to come. */
  readonly run: {
    readonly id: string
    readonly how: 'succeed' | 'fail'
    readonly code: string | null
    readonly figures: Readonly<Record<string, unknown>>
  } | null
}

/**
 * Writes what became of a build: pointers swap, what they pointed to is doomed, and the asset is what its variants make it.
 *
 * @returns whether an attachment waits for the verdict on the asset.
 * @throws RindleError `statement_missed` when the asset or a variant has moved on since it was looked at; nothing was changed.
 */
export async function settleBuild(db: Queryable, ctx: Recorder, settlement: BuildSettlement): Promise<boolean> {
  const { asset, outcomes, problem, run } = settlement
  const of = (result: VariantOutcome['result'], isOutdated: boolean = false) =>
    outcomes.filter((one) => one.result === result && settlement.outdated.includes(one.id) === isOutdated)
  const lists = { current: of('stored'), outdated: of('stored', true), failed: of('failed'), later: of('later') }
  const stored = [...lists.current, ...lists.outdated]
  const unused = [
    ...settlement.abandoned,
    ...outcomes.flatMap(({ result, objectId }) => (result !== 'stored' && objectId !== null ? [objectId] : [])),
  ]
  const written = await settled(
    db,
    ctx,
    {
      ...{
        assetId: asset.id,
        revision: asset.revision,
        state: asset.state,
        code: problem?.code ?? null,
        message: problem?.message ?? null,
      },
      ...{ runId: run?.id ?? null, runCode: run?.code ?? null, figures: JSON.stringify(run?.figures ?? {}) },
      ...{ unused, storedCount: stored.length },
      ...{ outcomes: JSON.stringify(outcomes.map((one) => recordOf(one, settlement.outdated.includes(one.id)))) },
      ...{ currentCount: lists.current.length, outdatedCount: lists.outdated.length },
      ...{ failedCount: lists.failed.length, laterCount: lists.later.length },
    },
    {
      path: settlement.path,
      problem: problem !== undefined,
      how: run?.how ?? null,
      mayReplace: settlement.mayReplace,
      has: [...named(lists), ...named({ stored, unused })],
    },
    { jobs: settlement.jobs },
  )
  return (written['attachments'] ?? []).length > 0
}

const recordOf = (outcome: VariantOutcome, outdated: boolean) => {
  if (outcome.result !== 'stored') return { ...outcome, outdated }
  const { facts, ...stored } = outcome
  const { grid, ...measured } = facts
  return { ...stored, ...measured, ...grid, outdated }
}

const named = (lists: Readonly<Record<string, readonly unknown[]>>): string[] =>
  Object.keys(lists).filter((name) => (lists[name] ?? []).length > 0)

/** What the statement's text depends on. */
interface SettlementShape {
  readonly path: BuildSettlement['path']
  readonly problem: boolean
  readonly how: 'succeed' | 'fail' | null
  readonly mayReplace: boolean
  /** Which lists have something in them. */
  readonly has: readonly string[]
}

interface Settled {
  readonly assetId: string
  readonly revision: number
  readonly state: AssetState
  readonly code: string | null
  readonly message: string | null
  readonly runId: string | null
  readonly runCode: string | null
  readonly figures: string
  readonly unused: readonly string[]
  readonly outcomes: string
  readonly storedCount: number
  readonly currentCount: number
  readonly outdatedCount: number
  readonly failedCount: number
  readonly laterCount: number
}

const settled = shapedMoves<Settled, SettlementShape>((given, at, shape) => {
  return [
    moved('asset', assetMachine, shape.path, {
      set: { due_at: sql`t.due_at`, ...(shape.problem ? { error_code: given.code, error_detail: given.message } : {}) },
      where: heldAsset({ id: given.assetId, revision: given.revision, state: given.state }),
    }),
    also(
      'attachments',
      sql`select m.id from rindle.media_attachments m join "asset" a on a.id = m.asset_id where m.standing <> 'released' and m.due_at is not null limit 1`,
      { expect: null, returns: true },
    ),
    also('made', sql`select m.* from ${recordsOf(given.outcomes)}`, { expect: null }),
    ...variantSteps(at, given, shape),
    ...objectSteps(at, given, shape),
    ...(shape.how ? [endedAttempt(at, given, shape.how)] : []),
  ]
})

const endedAttempt = (at: Date, given: Record<keyof Settled, unknown>, how: 'succeed' | 'fail'): Step =>
  moved('run', runMachine, [how], {
    set: { error_code: given.runCode, finished_at: at, figures: sql`t.figures || ${given.figures}::text::jsonb` },
    from: sql`"asset" a`,
    where: sql`t.id = ${given.runId}::uuid and t.asset_id = a.id`,
    expect: null,
  })

const variantSteps = (at: Date, given: Record<keyof Settled, unknown>, { has }: SettlementShape): Step[] => [
  ...(has.includes('current') ? [storedVariants('finished', ['finish'], sql`${given.currentCount}::int`)] : []),
  ...(has.includes('outdated') ? [storedVariants('outdated', ['finish', 'outdate'], sql`${given.outdatedCount}::int`)] : []),
  ...(has.includes('failed')
    ? [
        moved('failed', variantMachine, ['fail'], {
          set: { error_code: sql`m.code`, error_detail: sql`m.message` },
          from: fromMade,
          where: sql`${stillHeld} and m.result = 'failed'`,
          expect: sql`${given.failedCount}::int`,
        }),
      ]
    : []),
  ...(has.includes('later')
    ? [
        moved('returned', variantMachine, ['give_back'], {
          set: { due_at: sql`${at}::timestamptz + make_interval(secs => m."delaySeconds" + ${wakeUpSeconds}::int)` },
          from: fromMade,
          where: sql`${stillHeld} and m.result = 'later'`,
          expect: sql`${given.laterCount}::int`,
        }),
      ]
    : []),
]

const storedVariants = (as: string, path: readonly ('finish' | 'outdate')[], expect: RawBuilder<unknown>): Step =>
  moved(as, variantMachine, path, {
    set: {
      ...{ object_id: sql`m."objectId"`, content_type: sql`m."contentType"`, byte_size: sql`m."byteSize"` },
      ...{ width: sql`m.width`, height: sql`m.height`, duration_ms: sql`m."durationMs"`, has_audio_track: sql`m."hasAudioTrack"` },
      ...{ tile_width: sql`m."tileWidth"`, tile_height: sql`m."tileHeight"`, tile_columns: sql`m.columns`, tile_rows: sql`m.rows` },
      ...{ tile_count: sql`m.count`, tile_interval_ms: sql`m."intervalMs"` },
      ...{ progress: sql`100`, error_code: sql`null`, error_detail: sql`null` },
    },
    from: fromMade,
    where:
      path.length > 1
        ? sql`${stillHeld} and m.result = 'stored' and m.outdated`
        : sql`${stillHeld} and m.result = 'stored' and not m.outdated and t.recipe_digest = decode(m.digest, 'hex')`,
    expect,
  })

const fromMade = sql`"asset" a, "made" m`

const stillHeld = sql`t.id = m.id and t.asset_id = a.id and t.fence = m.fence`

const recordsOf = (outcomes: unknown) => sql`jsonb_to_recordset(${outcomes}::text::jsonb) as m (
  id uuid, fence int, digest text, result text, outdated boolean, "objectId" uuid, etag text, version text, sha256 text, "byteSize" bigint,
  "contentType" text, width int, height int, "durationMs" bigint, "hasAudioTrack" boolean, "tileWidth" int, "tileHeight" int, columns int, rows int,
  count int, "intervalMs" int, code text, message text, "delaySeconds" int)`

const objectSteps = (at: Date, given: Record<keyof Settled, unknown>, { has, mayReplace }: SettlementShape): Step[] => [
  ...(has.includes('stored')
    ? [
        moved('confirmed', objectMachine, ['confirm'], {
          set: {
            ...{ etag: sql`m.etag`, version: sql`m.version`, byte_size: sql`m."byteSize"`, content_type: sql`m."contentType"` },
            sha256: sql`decode(m.sha256, 'hex')`,
          },
          from: fromMade,
          where: sql`t.id = m."objectId" and t.asset_id = a.id and t.variant_id = m.id and t.fence = m.fence and m.result = 'stored'`,
          expect: sql`${given.storedCount}::int`,
        }),
      ]
    : []),
  ...(has.includes('stored') && mayReplace
    ? [
        moved('replaced', objectMachine, ['doom'], {
          set: doomed(at),
          from: fromMade,
          where: sql`t.variant_id = m.id and t.asset_id = a.id and t.state = 'present' and t.id <> m."objectId" and m.result = 'stored'`,
          expect: null,
        }),
      ]
    : []),
  ...(has.includes('unused')
    ? [
        moved('unused', objectMachine, ['doom'], {
          set: doomed(at),
          from: sql`"asset" a`,
          where: sql`t.id = any(${given.unused}::uuid[]) and t.asset_id = a.id and t.state = 'reserved'`,
          expect: null,
        }),
      ]
    : []),
]

/** Dooms what was reserved for variants that nobody holds any more, and ends the run where this is its end. What is gone already is left alone. */
export async function abandonBuild(
  db: Queryable,
  ctx: Recorder,
  { assetId, objectIds, runId }: { readonly assetId: string; readonly objectIds: readonly string[]; readonly runId: string | null },
): Promise<void> {
  const at = ctx.clock.now()
  await moves(
    db,
    ctx,
    [
      also('asset', sql`select a.id, a.id as asset_id from rindle.media_assets a where a.id = ${assetId}::uuid for no key update`, {
        expect: null,
      }),
      moved('unused', objectMachine, ['doom'], {
        set: doomed(at),
        from: sql`"asset" a`,
        where: sql`t.id = any(${objectIds}::uuid[]) and t.asset_id = a.id and t.state = 'reserved'`,
        expect: null,
      }),
      moved('run', runMachine, ['fail'], {
        set: { error_code: 'lease_lost', finished_at: at },
        from: sql`"asset" a`,
        where: sql`t.id = ${runId}::uuid and t.asset_id = a.id`,
        expect: null,
      }),
    ],
    { at, reason: 'lease_lost' },
  )
}

/** An asset that is as it was looked at. */
export const heldAsset = (asset: { readonly id: unknown; readonly revision: unknown; readonly state: unknown }) =>
  sql`t.id = ${asset.id}::uuid and t.revision = ${asset.revision}::int and t.state = ${asset.state}::text and t.state = any(${deliverableStates}::text[])`
