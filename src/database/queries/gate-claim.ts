import { sql } from 'kysely'
import { type Asset, assetMachine } from '../../core/asset.ts'
import type { JobName } from '../../core/jobs.ts'
import { objectMachine, type ObjectRole } from '../../core/object.ts'
import type { PastRun } from '../../core/trouble.ts'
import { type RunState, runMachine } from '../../core/run.ts'
import type { Queryable } from '../database.ts'
import { also, born, moved, moves, type Recorder, type Step } from '../move.ts'
import { doomed } from './doomed.ts'
import { type AssetJson, assetColumns, assetOf, hexOf } from './json-rows.ts'

const job: JobName = 'promote_asset'

/** An object in storage as the gate sees it. */
export interface GateObject {
  readonly id: string
  readonly role: ObjectRole
  readonly store: string
  readonly key: string
  readonly etag: string | null
  /** In a versioned bucket, the one that was verified. */
  readonly version: string | null
}

/** What a worker holds once it has taken an asset to the gate. */
export interface GateClaim {
  readonly asset: Asset
  readonly fence: number
  readonly runId: string
  /** Where the bytes to judge are: what was kept, else what was verified. Null when neither is on record. */
  readonly source: GateObject | null
  /** The key that this attempt alone may copy them to. */
  readonly sealed: GateObject | null
  /** Newest first. */
  readonly past: readonly PastRun[]
  readonly declaredSha256: string | null
  /** Whether variants of an earlier admission are there. */
  readonly hasVariants: boolean
  readonly isAttached: boolean
}

export interface GateBid {
  readonly assetId: string
  /** Profiles that this worker knows, with the names of their variants. An asset of another is left to a worker that knows it. */
  readonly profiles: Readonly<Record<string, readonly string[]>>
  readonly object: { readonly id: string; readonly key: string }
  /** What a key ends in, by declared content type, without the dot. */
  readonly extensions: Readonly<Record<string, string>>
  readonly runId: string
  readonly worker: string
  readonly leaseUntil: Date
}

/** Takes an asset to the gate: one that waits, or one whose worker lost its lease. @returns null when there is nothing to take. */
export async function claimAsset(db: Queryable, ctx: Recorder, bid: GateBid): Promise<GateClaim | null> {
  return (await claimIn('validating', db, ctx, bid)) ?? claimIn('analyzing', db, ctx, bid)
}

/** Whoever brought an asset back to `validating` has ended its run and doomed what it had reserved; a lapsed lease leaves both. */
async function claimIn(state: 'validating' | 'analyzing', db: Queryable, ctx: Recorder, bid: GateBid): Promise<GateClaim | null> {
  const at = ctx.clock.now()
  const ofAsset = sql`"asset" a`
  const perAsset = sql`(select count(*) from "asset")`
  const hasLapsed = state === 'analyzing'
  const isFree = hasLapsed ? sql`t.state = 'analyzing' and t.due_at <= ${at}::timestamptz` : sql`t.state = 'validating'`
  const written = await moves(
    db,
    ctx,
    [
      moved('asset', assetMachine, ['analyze'], {
        set: { fence: sql`t.fence + 1`, due_at: bid.leaseUntil },
        where: sql`t.id = ${bid.assetId}::uuid and t.profile = any(${Object.keys(bid.profiles)}::text[]) and ${isFree}`,
        expect: null,
        returning: assetColumns,
      }),
      also('declared', declaredSums, look),
      also('variants', sql`select v.id from rindle.media_variants v join "asset" a on a.id = v.asset_id limit 1`, look),
      also('attachments', waitingAttachments, look),
      ...(hasLapsed ? [lapsedObjects(at)] : []),
      also('source', sourceOf, look),
      born('sealed', objectMachine, [], {
        rows: [{ id: bid.object.id, asset_id: bid.assetId, role: 'original' }],
        columns: {
          fence: sql`a.fence`,
          store: sql`s.store`,
          content_type: sql`a.content_type`,
          key: sql`${bid.object.key}::text || coalesce('.' || (${JSON.stringify(bid.extensions)}::text::jsonb ->> a.content_type), '')`,
        },
        from: sql`"asset" a, "source" s`,
        expect: sql`(select count(*) from "source")`,
        returning: ['role', 'store', 'key', 'etag', 'version'],
      }),
      also('past', pastRuns, look),
      ...(hasLapsed ? [lostRuns(at)] : []),
      born('run', runMachine, [], {
        rows: [{ id: bid.runId, asset_id: bid.assetId, job, worker: bid.worker }],
        columns: {
          fence: sql`a.fence`,
          attempt: sql`1 + coalesce((select max(p.attempt) from "past" p), 0)`,
          variant_names: sql`array(select jsonb_array_elements_text(${JSON.stringify(bid.profiles)}::text::jsonb -> a.profile))`,
        },
        from: ofAsset,
        expect: perAsset,
      }),
    ],
    { at },
  )
  return claimOf(bid, written)
}

const lapsedObjects = (at: Date): Step =>
  moved('lapsed', objectMachine, ['doom'], {
    set: doomed(at),
    from: sql`"asset" a`,
    where: sql`t.asset_id = a.id and t.role = 'original' and t.state = 'reserved' and t.fence < a.fence`,
    expect: null,
  })

const lostRuns = (at: Date): Step =>
  moved('lost', runMachine, ['fail'], {
    set: { error_code: 'lease_lost', finished_at: at },
    from: sql`"asset" a`,
    where: sql`t.asset_id = a.id and t.job = ${job}::text and t.fence < a.fence`,
    expect: null,
  })

const look = { expect: null, returns: true } as const

const declaredSums = sql`
  select s.id, s.declared_sha256
    from rindle.media_upload_sessions s
    join "asset" a on a.id = s.asset_id
   where s.state = 'completed'`

const pastRuns = sql`
  select r.id, r.state, r.error_code, r.fence, r.attempt
    from rindle.media_processing_runs r
    join "asset" a on a.id = r.asset_id
   where r.job = ${job}::text
   order by r.fence desc
   limit 24`

const sourceOf = sql`
  select o.id, o.asset_id, o.role, o.store, o.key, o.etag, o.version
    from rindle.media_objects o
    join "asset" a on a.id = o.asset_id
   where o.state = 'present' and (o.id = a.object_id or (a.object_id is null and o.role = 'staging'))
   limit 1`

const waitingAttachments = sql`
  select m.id from rindle.media_attachments m join "asset" a on a.id = m.asset_id where m.standing <> 'released' and m.due_at is not null limit 1`

type Written = Readonly<Record<string, readonly Readonly<Record<string, unknown>>[]>>

const claimOf = (bid: GateBid, written: Written): GateClaim | null => {
  const row = written['asset']?.[0] as unknown as AssetJson | undefined
  if (!row) return null
  const past = (written['past'] ?? []) as unknown as readonly { readonly state: RunState; readonly error_code: string | null }[]
  const declared = written['declared']?.[0] as unknown as { readonly declared_sha256: string | null } | undefined
  return {
    asset: assetOf(row),
    fence: row.fence,
    runId: bid.runId,
    source: objectOf(written['source']),
    sealed: objectOf(written['sealed']),
    past: past.map(({ state, error_code }) => ({ state, errorCode: error_code })),
    declaredSha256: hexOf(declared?.declared_sha256 ?? null),
    hasVariants: (written['variants'] ?? []).length > 0,
    isAttached: (written['attachments'] ?? []).length > 0,
  }
}

const objectOf = (rows: Written[string] | undefined): GateObject | null => (rows?.[0] as unknown as GateObject | undefined) ?? null
