import type { ColumnType, Generated } from 'kysely'
import type { AssetKind, AssetState } from '../core/asset.ts'
import type { ObjectRole, ObjectState } from '../core/object.ts'
import type { Pardon } from '../core/quarantine.ts'
import type { RunState } from '../core/run.ts'
import type { BuildJob } from '../core/variant-plan.ts'
import type { UploadSessionState, UploadStrategy } from '../core/upload-session.ts'
import type { OutputKind, VariantState } from '../core/variant.ts'

/** A state can be read by anyone and written by nobody but move.ts. */
type State<S extends string> = ColumnType<S, never, never>
/** What `state` was before its last move; written with it. */
type FormerState<S extends string> = ColumnType<S | null, never, never>
type Time = Date
/** Drivers hand bigint columns out as numbers; what is larger than 2^53 does not occur in sizes. */
type Size = number

export interface AssetsTable {
  id: string
  profile: string
  state: State<AssetState>
  previous_state: FormerState<AssetState>
  /** False once it is doomed: part of a key, so that who shares the row and who dooms it meet. */
  alive: Generated<boolean>
  revision: Generated<number>
  fence: Generated<number>
  due_at: Time | null
  owner_type: string | null
  owner_id: string | null
  kind: AssetKind | null
  filename: string
  content_type: string
  byte_size: Size | null
  width: number | null
  height: number | null
  duration_ms: Size | null
  has_video_track: boolean | null
  has_audio_track: boolean | null
  rotation: number | null
  frames_per_second: number | null
  video_codec: string | null
  audio_codec: string | null
  placeholder: string | null
  dominant_color: string | null
  metadata: Generated<Record<string, unknown>>
  received_sha256: Uint8Array | null
  object_id: string | null
  error_code: string | null
  error_detail: string | null
  pardon: Pardon | null
  passed_at: Time | null
  inserted_at: Time
  state_changed_at: Time
}

export interface VariantsTable {
  id: string
  asset_id: string
  name: string
  output_kind: OutputKind
  job: Generated<BuildJob>
  state: State<VariantState>
  previous_state: FormerState<VariantState>
  recipe_digest: Uint8Array
  object_id: string | null
  fence: Generated<number>
  due_at: Time | null
  progress: Generated<number>
  content_type: string | null
  byte_size: Size | null
  width: number | null
  height: number | null
  duration_ms: Size | null
  has_audio_track: boolean | null
  tile_width: number | null
  tile_height: number | null
  tile_columns: number | null
  tile_rows: number | null
  tile_count: number | null
  tile_interval_ms: number | null
  error_code: string | null
  error_detail: string | null
  inserted_at: Time
  state_changed_at: Time
}

export interface UploadSessionsTable {
  id: string
  asset_id: string
  profile: string
  owner_type: string | null
  owner_id: string | null
  state: State<UploadSessionState>
  previous_state: FormerState<UploadSessionState>
  upload_strategy: UploadStrategy
  resumable_protocol: string | null
  object_id: string | null
  declared_bytes: Size | null
  declared_type: string
  declared_sha256: Uint8Array | null
  part_bytes: Size | null
  upload_length: Size | null
  committed_offset: Size | null
  session_uri: Uint8Array | null
  idempotency_key: string | null
  due_at: Time | null
  expires_at: Time
  verified_at: Time | null
  inserted_at: Time
  state_changed_at: Time
}

export interface ObjectsTable {
  id: string
  asset_id: string | null
  variant_id: string | null
  session_id: string | null
  role: ObjectRole
  store: string
  key: string
  upload_id: string | null
  state: State<ObjectState>
  previous_state: FormerState<ObjectState>
  fence: Generated<number>
  byte_size: Size | null
  content_type: string | null
  sha256: Uint8Array | null
  etag: string | null
  version: string | null
  recipe_digest: Uint8Array | null
  due_at: Time | null
  watch_until: Time | null
  inserted_at: Time
  state_changed_at: Time
}

interface AttachmentsTable {
  id: string
  owner_type: string
  owner_id: string
  slot: string
  many: boolean
  asset_id: string
  standing: 'current' | 'pending' | 'released'
  due_at: Time | null
  position: number | null
  alt: string | null
  caption: string | null
  inserted_at: Time
}

interface RunsTable {
  id: string
  asset_id: string
  job: string
  variant_names: string[]
  attempt: number
  fence: number
  worker: string
  state: State<RunState>
  previous_state: FormerState<RunState>
  error_code: string | null
  figures: Generated<Record<string, unknown>>
  started_at: Time
  finished_at: Time | null
  state_changed_at: Time
}

interface StateMovesTable {
  /** Text: it is 64 bits wide and only ever compared by the database. */
  xid: Generated<string>
  seq: Generated<number>
  at: Time
  entity: string
  entity_id: string
  asset_id: string | null
  move: string
  from_state: string | null
  to_state: string
  actor: string | null
  reason: string | null
}

interface LeasesTable {
  name: string
  holder: string | null
  fence: Generated<number>
  until: Time
  cursor: Record<string, unknown> | null
  clock_doubted_until: Time | null
}

/** The tables of schema `rindle`, as Kysely sees them: names are written with the schema, `rindle.media_assets`. */
export interface Schema {
  'rindle.media_assets': AssetsTable
  'rindle.media_variants': VariantsTable
  'rindle.media_upload_sessions': UploadSessionsTable
  'rindle.media_objects': ObjectsTable
  'rindle.media_attachments': AttachmentsTable
  'rindle.media_processing_runs': RunsTable
  'rindle.state_moves': StateMovesTable
  'rindle.leases': LeasesTable
  'rindle.schema_versions': { version: number; applied_at: Time }
}
