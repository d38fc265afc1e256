import { sql } from 'kysely'
import { type Asset, assetMachine } from '../../core/asset.ts'
import { objectMachine } from '../../core/object.ts'
import { secondsAfter, wakeUpSeconds } from '../../core/patience.ts'
import type { Facts } from '../../core/ports/processor.ts'
import { runMachine } from '../../core/run.ts'
import { type OutputKind, variantMachine } from '../../core/variant.ts'
import type { Queryable } from '../database.ts'
import { born, moved, moves, type MoveOptions, type Recorder, type Step } from '../move.ts'
import { doomed } from './doomed.ts'
import type { GateClaim, GateObject } from './gate-claim.ts'
import type { AssetJson } from './json-rows.ts'

/** Of the objects doomed with a verdict, the source is deleted by a job that goes with it; the others are found by the sweep. */
const doomOthers = (at: Date, keptId: string | null, sourceId: string | null): Step =>
  moved('doomed', objectMachine, ['doom'], {
    set: doomed(
      at,
      sql`case when t.id = ${sourceId}::uuid then ${secondsAfter(at, wakeUpSeconds)}::timestamptz else ${at}::timestamptz end`,
    ),
    from: sql`"asset" a`,
    where: sql`t.asset_id = a.id and t.role in ('staging', 'original') and t.id is distinct from ${keptId}::uuid`,
    expect: null,
  })

const jobsOf = (claim: GateClaim, keptId: string | null): NonNullable<MoveOptions['jobs']> => [
  ...(claim.source && claim.source.id !== keptId ? [{ name: 'delete_object', id: claim.source.id } as const] : []),
  ...(claim.isAttached ? [{ name: 'settle_slots', id: claim.asset.id } as const] : []),
]

/** The sealed bytes as they were read. */
export interface SealedBytes {
  readonly byteSize: number
  /** Lower-case hex. */
  readonly sha256: string
  readonly etag: string
  readonly version: string | null
}

/** A variant that the profile wants, with the rows that it may become. */
export interface PlannedVariant {
  /** Offered; a variant that is there already keeps its own. */
  readonly id: string
  readonly name: string
  readonly outputKind: OutputKind
  /** Lower-case hex. */
  readonly digest: string
  /** Where its bytes will go; null when it could not be made. */
  readonly object: { readonly id: string; readonly key: string; readonly contentType: string } | null
}

export interface Admission {
  readonly claim: GateClaim
  readonly sealed: GateObject
  readonly bytes: SealedBytes
  readonly facts: Facts
  readonly plan: readonly PlannedVariant[]
  /** From `analyzing` to the state that the plan asks for. */
  readonly path: readonly ('promote' | 'admit' | 'process' | 'transcode')[]
  /** Both for the variants and for the asset when nobody ever attaches it. */
  readonly leaseUntil: Date
  readonly purgeAt: Date | null
  readonly figures: Readonly<Record<string, unknown>>
}

export interface Admitted {
  readonly revision: number
  readonly state: Asset['state']
  readonly variants: readonly { readonly id: string; readonly name: string; readonly fence: number }[]
}

/**
 * Writes the gate's yes: the sealed bytes become the original, and its variants are planned, begun and given keys of their own.
 *
 * @throws RindleError `statement_missed` when the lease is over or the asset has moved on; nothing was changed.
 */
export async function admitAsset(db: Queryable, ctx: Recorder, admission: Admission): Promise<Admitted> {
  const { claim, sealed, bytes, plan } = admission
  const at = ctx.clock.now()
  const written = await moves(
    db,
    ctx,
    [
      admittedAsset(at, admission),
      ...(claim.hasVariants ? [dropped(plan)] : []),
      ...(plan.length > 0 ? [plannedVariants(admission)] : []),
      moved('original', objectMachine, ['confirm'], {
        set: {
          byte_size: bytes.byteSize,
          content_type: admission.facts.contentType,
          sha256: bytesOf(bytes.sha256),
          etag: bytes.etag,
          version: bytes.version,
        },
        from: sql`"asset" a`,
        where: sql`t.id = ${sealed.id}::uuid and t.asset_id = a.id and t.fence = a.fence`,
      }),
      doomOthers(at, sealed.id, claim.source?.id ?? null),
      ...(claim.hasVariants ? [droppedObjects(at)] : []),
      ...(plan.length > 0 ? objectSteps(at, admission) : []),
      ...(plan.length > 0 ? [] : [endedRun(at, claim, 'succeed', null, admission.figures)]),
    ],
    { at, jobs: jobsOf(claim, sealed.id) },
  )
  const asset = written['asset']?.[0] as unknown as AssetJson
  return { revision: asset.revision, state: asset.state, variants: (written['variants'] ?? []) as unknown as Admitted['variants'] }
}

const admittedAsset = (at: Date, { claim, sealed, bytes, facts, path, purgeAt }: Admission): Step =>
  moved('asset', assetMachine, path, {
    set: {
      ...{
        object_id: sealed.id,
        byte_size: bytes.byteSize,
        received_sha256: bytesOf(bytes.sha256),
        content_type: facts.contentType,
        kind: facts.kind,
      },
      ...{ width: facts.width, height: facts.height, placeholder: facts.placeholder, dominant_color: facts.dominantColor },
      metadata: sql`(t.metadata - 'refused') || ${JSON.stringify({ frames: facts.frames, hasAlpha: facts.hasAlpha })}::text::jsonb`,
      ...{ error_code: null, error_detail: null, passed_at: at, due_at: purgeAt },
    },
    where: sql`t.id = ${claim.asset.id}::uuid and t.fence = ${claim.fence}::int and t.revision = ${claim.asset.revision}::int and t.due_at > ${at}::timestamptz`,
    returning: ['fence', 'revision', 'state'],
  })

/** By the time an asset is admitted its variants are made; what is left is to store them. */
const madeProgress = 50

const plannedVariants = ({ claim, plan, leaseUntil }: Admission): Step =>
  born('variants', variantMachine, ['enqueue', 'start'], {
    rows: plan.map(({ id, name, outputKind, digest }) => ({
      id,
      asset_id: claim.asset.id,
      name,
      output_kind: outputKind,
      recipe_digest: `\\x${digest}`,
      due_at: leaseUntil,
      progress: madeProgress,
    })),
    from: sql`"asset" a`,
    where: sql`v.asset_id = a.id`,
    conflict: {
      target: sql`(asset_id, name)`,
      update: {
        move: 'plan_again',
        set: {
          ...{
            fence: sql`t.fence + 1`,
            due_at: sql`excluded.due_at`,
            recipe_digest: sql`excluded.recipe_digest`,
            output_kind: sql`excluded.output_kind`,
          },
          ...{ progress: sql`excluded.progress`, error_code: sql`null`, error_detail: sql`null` },
        },
      },
    },
    returning: ['name', 'fence', 'recipe_digest'],
  })

const dropped = (plan: readonly PlannedVariant[]): Step =>
  moved('dropped', variantMachine, ['drop'], {
    set: { object_id: null, fence: sql`t.fence + 1` },
    from: sql`"asset" a`,
    where: sql`t.asset_id = a.id and t.name <> all(${plan.map(({ name }) => name)}::text[])`,
    expect: null,
  })

const droppedObjects = (at: Date): Step =>
  moved('dropped_objects', objectMachine, ['doom'], {
    set: doomed(at),
    from: sql`"dropped" d`,
    where: sql`t.variant_id = d.id`,
    expect: null,
  })

const objectSteps = (at: Date, { claim, sealed, plan }: Admission): Step[] => {
  const wanted = plan.flatMap(({ name, object }) => (object ? [{ name, object }] : []))
  const idsByName = JSON.stringify(Object.fromEntries(wanted.map(({ name, object }) => [name, object.id])))
  return [
    ...(claim.hasVariants
      ? [
          moved('lapsed', objectMachine, ['doom'], {
            set: doomed(at),
            from: sql`"variants" n`,
            where: sql`t.variant_id = n.id and t.state = 'reserved' and t.fence < n.fence`,
            expect: null,
          }),
        ]
      : []),
    born('objects', objectMachine, [], {
      rows: wanted.map(({ object }) => ({
        id: object.id,
        asset_id: claim.asset.id,
        role: 'variant',
        store: sealed.store,
        key: object.key,
        content_type: object.contentType,
      })),
      columns: { variant_id: sql`n.id`, fence: sql`n.fence`, recipe_digest: sql`n.recipe_digest` },
      from: sql`"variants" n join jsonb_each_text(${idsByName}::text::jsonb) w (name, object_id) on w.name = n.name`,
      where: sql`w.object_id::uuid = v.id`,
    }),
  ]
}

const endedRun = (at: Date, claim: GateClaim, how: 'succeed' | 'fail', code: string | null, figures: object = {}): Step =>
  moved('run', runMachine, [how], {
    set: { error_code: code, finished_at: at, figures: sql`${JSON.stringify(figures)}::text::jsonb` },
    from: sql`"asset" a`,
    where: sql`t.id = ${claim.runId}::uuid and t.asset_id = a.id`,
  })

const bytesOf = (hex: string | null) => sql`decode(${hex}::text, 'hex')`

const heldByClaim = (claim: GateClaim) => sql`t.id = ${claim.asset.id}::uuid and t.fence = ${claim.fence}::int and t.state = 'analyzing'`

export interface GateRefusal {
  readonly claim: GateClaim
  readonly code: string
  readonly message: string
  readonly details: object
  /** The sealed copy when it landed, else the source when that is to be kept, else nothing. */
  readonly kept: { readonly object: GateObject; readonly bytes: SealedBytes | null } | null
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
          ...{ error_code: refusal.code, error_detail: refusal.message, object_id: keptId, due_at: kept ? refusal.keepUntil : null },
          metadata: sql`t.metadata || ${JSON.stringify({ refused: refusal.details })}::text::jsonb`,
          ...(bytes ? { byte_size: bytes.byteSize, received_sha256: bytesOf(bytes.sha256) } : {}),
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
      endedRun(at, claim, 'succeed', refusal.code, refusal.figures),
    ],
    { at, reason: refusal.code, jobs: jobsOf(claim, keptId) },
  )
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
        where: sql`t.id = ${claim.sealed?.id ?? null}::uuid and t.asset_id = a.id`,
        expect: null,
      }),
      endedRun(at, claim, 'fail', code),
    ],
    { at, reason: code, jobs: [{ name: 'promote_asset', id: claim.asset.id, delaySeconds }] },
  )
}
