import { sql } from 'kysely'
import { type Asset, assetMachine } from '../../core/asset.ts'
import { objectMachine } from '../../core/object.ts'
import { wakeUpSeconds } from '../../core/patience.ts'
import type { Facts } from '../../core/ports/jail.ts'
import { runMachine } from '../../core/run.ts'
import { type BuildJob, buildJobs } from '../../core/variant-plan.ts'
import { type OutputKind, variantMachine } from '../../core/variant.ts'
import type { Queryable } from '../database.ts'
import { also, born, moved } from '../move.ts'
import { type Given, type MoveOptions, type Recorder, shapedMoves, type Step } from '../statement.ts'
import { doomed, lapsedVariantObjects } from './doomed.ts'
import type { GateClaim, GateObject } from './gate-claim.ts'
import type { AssetJson } from './json-rows.ts'

/** Of the objects doomed with a verdict, the source is deleted by a job that goes with it; the others are found by the sweep. */
export const doomOthers = (at: Date, keptId: unknown, sourceId: unknown): Step =>
  moved('doomed', objectMachine, ['doom'], {
    set: doomed(
      at,
      sql`case when t.id = ${sourceId}::uuid then ${at}::timestamptz + make_interval(secs => ${wakeUpSeconds}::int) else ${at}::timestamptz end`,
    ),
    from: sql`"asset" a`,
    where: sql`t.asset_id = a.id and t.role in ('staging', 'original') and t.id is distinct from ${keptId}::uuid`,
    expect: null,
  })

export const jobsOf = (claim: GateClaim, keptId: string | null): NonNullable<MoveOptions['jobs']> => [
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
  /** The job that makes it, now or again. */
  readonly job: BuildJob
  /** Lower-case hex. */
  readonly digest: string
  /** Where its bytes will go; null when it could not be made, or is made later. */
  readonly object: { readonly id: string; readonly key: string; readonly contentType: string } | null
}

interface Admission {
  readonly claim: GateClaim
  /** What is served from now on, with its bytes. */
  readonly sealed: GateObject
  readonly bytes: SealedBytes
  /** Of what came, which is another when the file was rewritten. */
  readonly receivedSha256: string
  readonly facts: Facts
  /** What the app's analyzer found out; null without one. */
  readonly analysis: Readonly<Record<string, unknown>> | null
  readonly plan: readonly PlannedVariant[]
  /** Whether what is planned was made in this very visit; else a job of its own is to make it. */
  readonly isMade: boolean
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
  const { claim, sealed, bytes, facts, plan, path, purgeAt, leaseUntil } = admission
  const at = ctx.clock.now()
  const planned = plan.map(({ object, ...variant }) => ({
    ...variant,
    objectId: object?.id,
    key: object?.key,
    contentType: object?.contentType,
  }))
  const written = await admitted(
    db,
    ctx,
    {
      ...{
        assetId: claim.asset.id,
        fence: claim.fence,
        revision: claim.asset.revision,
        runId: claim.runId,
        sourceId: claim.source?.id ?? null,
      },
      ...{
        objectId: sealed.id,
        store: sealed.store,
        byteSize: bytes.byteSize,
        sha256: bytes.sha256,
        receivedSha256: admission.receivedSha256,
        etag: bytes.etag,
        version: bytes.version,
      },
      ...{ contentType: facts.contentType, kind: facts.kind, width: facts.width, height: facts.height },
      ...{ durationMs: facts.durationMs, hasVideoTrack: facts.hasVideoTrack, hasAudioTrack: facts.hasAudioTrack },
      ...{ rotation: facts.rotation, framesPerSecond: facts.framesPerSecond, videoCodec: facts.videoCodec, audioCodec: facts.audioCodec },
      ...{ placeholder: facts.placeholder, dominantColor: facts.dominantColor, purgeAt, leaseUntil },
      ...{ metadata: JSON.stringify(metadataOf(admission)), figures: JSON.stringify(admission.figures) },
      ...{ plan: JSON.stringify(planned), names: plan.map(({ name }) => name) },
      ...{ count: plan.length, objectCount: plan.filter(({ object }) => object !== null).length },
    },
    { path, hasVariants: claim.hasVariants, variants: plan.length === 0 ? 'none' : admission.isMade ? 'made' : 'queued' },
    { at, jobs: [...jobsOf(claim, sealed.id), ...(admission.isMade ? [] : firstBuild(claim.asset.id, plan))] },
  )
  const asset = written['asset']?.[0] as unknown as AssetJson
  return { revision: asset.revision, state: asset.state, variants: (written['variants'] ?? []) as unknown as Admitted['variants'] }
}

/** The job that comes first of those that are to make what is planned; each wakes the next. */
const firstBuild = (id: string, plan: readonly PlannedVariant[]): NonNullable<MoveOptions['jobs']> => {
  const name = buildJobs.find((job) => plan.some((one) => one.job === job))
  return name ? [{ name, id }] : []
}

const metadataOf = ({ facts, analysis }: Admission) => ({
  frames: facts.frames,
  hasAlpha: facts.hasAlpha,
  ...(analysis ? { analysis } : {}),
})

interface AdmissionShape {
  readonly path: Admission['path']
  readonly hasVariants: boolean
  readonly variants: 'none' | 'made' | 'queued'
}

type AssetFacts = Omit<Facts, 'extension' | 'frames' | 'hasAlpha'>

interface AdmissionValues extends AssetFacts, SealedBytes {
  readonly assetId: string
  readonly fence: number
  readonly revision: number
  readonly runId: string
  readonly sourceId: string | null
  readonly objectId: string
  readonly store: string
  readonly receivedSha256: string
  readonly metadata: string
  readonly figures: string
  readonly purgeAt: Date | null
  readonly leaseUntil: Date
  readonly plan: string
  readonly names: readonly string[]
  readonly count: number
  readonly objectCount: number
}

type GivenAdmission = Readonly<Record<keyof AdmissionValues, Given>>

const admitted = shapedMoves<AdmissionValues, AdmissionShape>((given, at, { path, hasVariants, variants }) => {
  const makesVariants = variants !== 'none'
  return [
    admittedAsset(at, given, path),
    ...(hasVariants ? [dropped(given)] : []),
    ...(makesVariants ? [also('plan', planOf(given), { expect: null }), plannedVariants(given, variants === 'made')] : []),
    moved('original', objectMachine, ['confirm'], {
      set: {
        ...{ byte_size: given.byteSize, content_type: given.contentType, sha256: bytesOf(given.sha256) },
        ...{ etag: given.etag, version: given.version },
      },
      from: sql`"asset" a`,
      where: sql`t.id = ${given.objectId}::uuid and t.asset_id = a.id and t.fence = a.fence`,
    }),
    doomOthers(at, given.objectId, given.sourceId),
    ...(hasVariants ? [droppedObjects(at)] : []),
    ...(hasVariants && makesVariants ? [lapsedVariantObjects(at)] : []),
    ...(variants === 'made' ? [plannedObjects(given)] : [endedRun(at, given, 'succeed')]),
  ]
})

const admittedAsset = (at: Date, given: GivenAdmission, path: Admission['path']): Step =>
  moved('asset', assetMachine, path, {
    set: {
      ...{
        object_id: given.objectId,
        byte_size: given.byteSize,
        received_sha256: bytesOf(given.receivedSha256),
        content_type: given.contentType,
      },
      ...{
        kind: given.kind,
        width: given.width,
        height: given.height,
        duration_ms: given.durationMs,
        has_video_track: given.hasVideoTrack,
        has_audio_track: given.hasAudioTrack,
        rotation: given.rotation,
        frames_per_second: given.framesPerSecond,
        video_codec: given.videoCodec,
        audio_codec: given.audioCodec,
        placeholder: given.placeholder,
        dominant_color: given.dominantColor,
      },
      metadata: sql`(t.metadata - array['refused', 'analysis']) || ${given.metadata}::text::jsonb`,
      ...{ error_code: null, error_detail: null, passed_at: at, due_at: given.purgeAt },
    },
    where: sql`t.id = ${given.assetId}::uuid and t.fence = ${given.fence}::int and t.revision = ${given.revision}::int and t.due_at > ${at}::timestamptz`,
    returning: ['fence', 'revision', 'state'],
  })

/** By the time an asset is admitted its variants are made; what is left is to store them. */
const madeProgress = 50

const planOf = ({ plan }: GivenAdmission) => sql`
  select p.* from jsonb_to_recordset(${plan}::text::jsonb) as p (
    id uuid, name text, "outputKind" text, job text, digest text, "objectId" uuid, key text, "contentType" text)`

const plannedVariants = ({ count, leaseUntil }: GivenAdmission, isMade: boolean): Step =>
  born('variants', variantMachine, isMade ? ['enqueue', 'start'] : ['enqueue'], {
    row: {},
    columns: {
      ...{
        id: sql`p.id`,
        asset_id: sql`a.id`,
        name: sql`p.name`,
        output_kind: sql`p."outputKind"`,
        job: sql`p.job`,
        recipe_digest: sql`decode(p.digest, 'hex')`,
      },
      ...{ due_at: sql`${leaseUntil}::timestamptz`, progress: sql.raw(String(isMade ? madeProgress : 0)) },
    },
    from: sql`"asset" a, "plan" p`,
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
            job: sql`excluded.job`,
          },
          ...{ progress: sql`excluded.progress`, error_code: sql`null`, error_detail: sql`null` },
        },
      },
    },
    expect: sql`${count}::int`,
    returning: ['name', 'fence', 'recipe_digest'],
  })

const dropped = ({ names }: GivenAdmission): Step =>
  moved('dropped', variantMachine, ['drop'], {
    set: { object_id: null, fence: sql`t.fence + 1` },
    from: sql`"asset" a`,
    where: sql`t.asset_id = a.id and t.name <> all(${names}::text[])`,
    expect: null,
  })

const droppedObjects = (at: Date): Step =>
  moved('dropped_objects', objectMachine, ['doom'], {
    set: doomed(at),
    from: sql`"dropped" d`,
    where: sql`t.variant_id = d.id`,
    expect: null,
  })

/** Joined by name, since a variant that was there already keeps its id. */
const plannedObjects = ({ store, objectCount }: GivenAdmission): Step =>
  born('objects', objectMachine, [], {
    row: {},
    columns: {
      ...{ id: sql`p."objectId"`, asset_id: sql`n.asset_id`, role: sql`'variant'`, store: sql`${store}::text`, key: sql`p.key` },
      ...{ content_type: sql`p."contentType"`, variant_id: sql`n.id`, fence: sql`n.fence`, recipe_digest: sql`n.recipe_digest` },
    },
    from: sql`"plan" p, "variants" n`,
    where: sql`n.name = p.name and p."objectId" is not null`,
    expect: sql`${objectCount}::int`,
  })

interface EndedRun {
  readonly runId: unknown
  readonly figures: unknown
  readonly code?: unknown
}

export const endedRun = (at: Date, { runId, figures, code = null }: EndedRun, how: 'succeed' | 'fail'): Step =>
  moved('run', runMachine, [how], {
    set: { error_code: code, finished_at: at, figures: sql`${figures}::text::jsonb` },
    from: sql`"asset" a`,
    where: sql`t.id = ${runId}::uuid and t.asset_id = a.id`,
  })

export const bytesOf = (hex: unknown) => sql`decode(${hex}::text, 'hex')`
