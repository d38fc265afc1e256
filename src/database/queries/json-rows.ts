import type { Selectable } from 'kysely'
import type { Asset, Problem } from '../../core/asset.ts'
import type { UploadSession } from '../../core/upload-session.ts'
import type { StripGrid } from '../../core/variant-facts.ts'
import type { Variant } from '../../core/variant.ts'
import type { AssetsTable, ObjectsTable, UploadSessionsTable, VariantsTable } from '../schema.ts'

type JsonOf<T> = T extends Date | Uint8Array ? string : T

/** A row as `to_jsonb` gives it: times are ISO text, bytes `\x…` text. */
type JsonRow<T> = { readonly [K in keyof Selectable<T>]: JsonOf<Selectable<T>[K]> }

export type AssetJson = Omit<JsonRow<AssetsTable>, 'pardon'>
export type VariantJson = JsonRow<VariantsTable>
export type ObjectJson = JsonRow<ObjectsTable>
export type SessionJson = JsonRow<UploadSessionsTable>

/** What statements return of an asset, so that `assetOf` can read it. */
export const assetColumns = [
  ...['id', 'profile', 'state', 'revision', 'fence', 'due_at', 'owner_type', 'owner_id', 'kind', 'filename', 'content_type', 'byte_size'],
  ...[
    'width',
    'height',
    'duration_ms',
    'has_video_track',
    'has_audio_track',
    'rotation',
    'frames_per_second',
    'video_codec',
    'audio_codec',
  ],
  ...['placeholder', 'dominant_color', 'metadata'],
  ...['received_sha256', 'object_id', 'error_code', 'error_detail', 'passed_at', 'inserted_at', 'state_changed_at'],
] as const

/** What statements return of an upload session, so that `sessionOf` can read it. */
export const sessionColumns = [
  ...['id', 'asset_id', 'profile', 'owner_type', 'owner_id', 'state', 'upload_strategy', 'object_id', 'declared_bytes', 'declared_type'],
  ...['declared_sha256', 'part_bytes', 'idempotency_key', 'expires_at', 'verified_at', 'inserted_at'],
] as const

export const assetOf = (row: AssetJson): Asset => ({
  id: row.id,
  profile: row.profile,
  state: row.state,
  revision: row.revision,
  kind: row.kind,
  owner: ownerOfRow(row),
  filename: row.filename,
  contentType: row.content_type,
  byteSize: row.byte_size,
  width: row.width,
  height: row.height,
  durationMs: row.duration_ms,
  hasVideoTrack: row.has_video_track,
  hasAudioTrack: row.has_audio_track,
  rotation: row.rotation,
  framesPerSecond: row.frames_per_second,
  videoCodec: row.video_codec,
  audioCodec: row.audio_codec,
  placeholder: row.placeholder,
  dominantColor: row.dominant_color,
  metadata: row.metadata,
  receivedSha256: hexOf(row.received_sha256),
  objectId: row.object_id,
  error: problemOf(row),
  passedAt: timeOf(row.passed_at),
  insertedAt: new Date(row.inserted_at),
  stateChangedAt: new Date(row.state_changed_at),
})

export const variantOf = (row: VariantJson): Variant => ({
  id: row.id,
  assetId: row.asset_id,
  name: row.name,
  outputKind: row.output_kind,
  state: row.state,
  progress: row.progress,
  objectId: row.object_id,
  contentType: row.content_type,
  byteSize: row.byte_size,
  width: row.width,
  height: row.height,
  durationMs: row.duration_ms,
  hasAudioTrack: row.has_audio_track,
  grid: gridOfRow(row),
  error: problemOf(row),
  stateChangedAt: new Date(row.state_changed_at),
})

const gridOfRow = (row: VariantJson): StripGrid | null => {
  const { tile_width: tileWidth, tile_height: tileHeight, tile_columns: columns, tile_rows: rows, tile_count: count } = row
  const { tile_interval_ms: intervalMs } = row
  if (tileWidth === null || tileHeight === null || columns === null || rows === null || count === null || intervalMs === null) return null
  return { tileWidth, tileHeight, columns, rows, count, intervalMs }
}

export const sessionOf = (row: SessionJson): UploadSession => ({
  id: row.id,
  assetId: row.asset_id,
  profile: row.profile,
  state: row.state,
  uploadStrategy: row.upload_strategy,
  objectId: row.object_id,
  owner: ownerOfRow(row),
  declaredBytes: row.declared_bytes,
  declaredType: row.declared_type,
  declaredSha256: hexOf(row.declared_sha256),
  partBytes: row.part_bytes,
  idempotencyKey: row.idempotency_key,
  expiresAt: new Date(row.expires_at),
  verifiedAt: timeOf(row.verified_at),
  insertedAt: new Date(row.inserted_at),
})

/** Lower-case hex of a `bytea` as `to_jsonb` gives it. */
export const hexOf = (bytes: string | null): string | null => (bytes === null ? null : bytes.slice(2))

const timeOf = (time: string | null): Date | null => (time === null ? null : new Date(time))

const ownerOfRow = (row: { readonly owner_type: string | null; readonly owner_id: string | null }): Asset['owner'] =>
  row.owner_type === null || row.owner_id === null ? null : { type: row.owner_type, id: row.owner_id }

const problemOf = (row: { readonly error_code: string | null; readonly error_detail: string | null }): Problem | null =>
  row.error_code === null ? null : { code: row.error_code, message: row.error_detail ?? '' }
