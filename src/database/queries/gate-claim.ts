import { sql } from 'kysely'
import { type Asset, assetMachine } from '../../core/asset.ts'
import type { JobName } from '../../core/jobs.ts'
import { objectMachine, type ObjectRole } from '../../core/object.ts'
import type { PastRun } from '../../core/trouble.ts'
import type { Pardon } from '../../core/quarantine.ts'
import { type RunState, runMachine } from '../../core/run.ts'
import type { Queryable } from '../database.ts'
import { also, born, moved } from '../move.ts'
import { shapedMoves, type Recorder, type Step, type Written } from '../statement.ts'
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

/** One whose bytes are there. */
export interface StoredObject extends GateObject {
  readonly byteSize: number | null
}

/** What a worker holds once it has taken an asset to the gate. */
export interface GateClaim {
  readonly asset: Asset
  readonly fence: number
  readonly runId: string
  /** Where the bytes to judge are: what was kept, else what was verified. Null when neither is on record. */
  readonly source: StoredObject | null
  /** The key that this attempt alone may copy them to. */
  readonly sealed: GateObject | null
  /** Newest first. */
  readonly past: readonly PastRun[]
  readonly declaredSha256: string | null
  /** What an operator has let through, when the asset was released from quarantine. */
  readonly pardon: Pardon | null
  /** Whether variants of an earlier admission are there. */
  readonly hasVariants: boolean
  readonly isAttached: boolean
}

interface GateBid {
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

const claimIn = async (state: 'validating' | 'analyzing', db: Queryable, ctx: Recorder, bid: GateBid): Promise<GateClaim | null> => {
  const { assetId, profiles, object, runId, worker, leaseUntil } = bid
  const written = await claimed(
    db,
    ctx,
    {
      ...{ assetId, names: Object.keys(profiles), objectId: object.id, key: object.key, runId, worker, leaseUntil },
      ...{ extensions: JSON.stringify(bid.extensions), variants: JSON.stringify(profiles) },
    },
    { hasLapsed: state === 'analyzing' },
  )
  return claimOf(bid, written)
}

interface Claimed extends Pick<GateBid, 'assetId' | 'runId' | 'worker' | 'leaseUntil'> {
  readonly names: readonly string[]
  readonly objectId: string
  readonly key: string
  readonly extensions: string
  readonly variants: string
}

/** Whoever brought an asset back to `validating` has ended its run and doomed what it had reserved; a lapsed lease leaves both. */
const claimed = shapedMoves<Claimed, { readonly hasLapsed: boolean }>((bid, at, { hasLapsed }) => {
  const isFree = hasLapsed ? sql`t.state = 'analyzing' and t.due_at <= ${at}::timestamptz` : sql`t.state = 'validating'`
  return [
    moved('asset', assetMachine, ['analyze'], {
      set: { fence: sql`t.fence + 1`, due_at: bid.leaseUntil },
      where: sql`t.id = ${bid.assetId}::uuid and t.profile = any(${bid.names}::text[]) and ${isFree}`,
      expect: null,
      returning: [...assetColumns, 'pardon'],
    }),
    also('around', aroundAsset, look),
    ...(hasLapsed ? [lapsedCopies(at)] : []),
    also('source', sourceOf, look),
    born('sealed', objectMachine, [], {
      row: { id: bid.objectId, asset_id: bid.assetId },
      columns: {
        ...{ role: sql`'original'`, fence: sql`a.fence`, store: sql`s.store`, content_type: sql`a.content_type` },
        key: sql`${bid.key}::text || coalesce('.' || (${bid.extensions}::text::jsonb ->> a.content_type), '')`,
      },
      from: sql`"asset" a, "source" s`,
      expect: null,
      returning: ['role', 'store', 'key', 'etag', 'version'],
    }),
    also('past', pastRuns, look),
    ...(hasLapsed ? [lostRuns(at)] : []),
    born('run', runMachine, [], {
      row: { id: bid.runId, asset_id: bid.assetId, job, worker: bid.worker },
      columns: {
        fence: sql`a.fence`,
        attempt: sql`1 + coalesce((select max(p.attempt) from "past" p), 0)`,
        variant_names: sql`array(select jsonb_array_elements_text(${bid.variants}::text::jsonb -> a.profile))`,
      },
      from: sql`"asset" a`,
      expect: null,
    }),
  ]
})

const lapsedCopies = (at: Date): Step =>
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

const aroundAsset = sql`
  select a.id,
         (select s.declared_sha256 from rindle.media_upload_sessions s where s.asset_id = a.id and s.state = 'completed' limit 1) as declared_sha256,
         exists (select from rindle.media_variants v where v.asset_id = a.id) as has_variants,
         exists (select from rindle.media_attachments m
                  where m.asset_id = a.id and m.standing <> 'released' and m.due_at is not null) as is_attached
    from "asset" a`

const pastRuns = sql`
  select r.id, r.state, r.error_code, r.fence, r.attempt
    from rindle.media_processing_runs r
    join "asset" a on a.id = r.asset_id
   where r.job = ${job}::text
   order by r.fence desc
   limit 24`

const sourceOf = sql`
  select o.id, o.asset_id, o.role, o.store, o.key, o.etag, o.version, o.byte_size as "byteSize"
    from rindle.media_objects o
    join "asset" a on a.id = o.asset_id
   where o.state = 'present' and (o.id = a.object_id or (a.object_id is null and o.role = 'staging'))
   limit 1`

interface AroundJson {
  readonly declared_sha256: string | null
  readonly has_variants: boolean
  readonly is_attached: boolean
}

const claimOf = (bid: GateBid, written: Written): GateClaim | null => {
  const row = written['asset']?.[0] as unknown as (AssetJson & { readonly pardon: Pardon | null }) | undefined
  if (!row) return null
  const past = (written['past'] ?? []) as unknown as readonly { readonly state: RunState; readonly error_code: string | null }[]
  const around = written['around']?.[0] as unknown as AroundJson
  return {
    asset: assetOf(row),
    fence: row.fence,
    runId: bid.runId,
    source: (written['source']?.[0] as unknown as StoredObject | undefined) ?? null,
    sealed: (written['sealed']?.[0] as unknown as GateObject | undefined) ?? null,
    past: past.map(({ state, error_code }) => ({ state, errorCode: error_code })),
    declaredSha256: hexOf(around.declared_sha256),
    pardon: row.pardon,
    hasVariants: around.has_variants,
    isAttached: around.is_attached,
  }
}
