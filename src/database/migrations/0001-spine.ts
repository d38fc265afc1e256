/** Never edited once landed: a change is a migration with the next number. */
export const spine = `
create function rindle.missed(what text) returns boolean language plpgsql volatile as $$
begin
  raise exception 'rindle: % was not as it was looked at', what using errcode = 'RD001';
end $$;

create table rindle.media_assets (
  id uuid primary key,
  profile text not null,
  state text not null,
  previous_state text,
  revision integer not null default 0,
  fence integer not null default 0,
  due_at timestamptz,
  owner_type text,
  owner_id text,
  kind text,
  filename text not null,
  content_type text not null,
  byte_size bigint,
  width integer,
  height integer,
  duration_ms bigint,
  has_video_track boolean,
  has_audio_track boolean,
  placeholder text,
  dominant_color text,
  metadata jsonb not null default '{}',
  received_sha256 bytea,
  object_id uuid,
  error_code text,
  error_detail text,
  pardon jsonb,
  passed_at timestamptz,
  inserted_at timestamptz not null,
  state_changed_at timestamptz not null,
  constraint media_assets_state check (state in ('staged', 'validating', 'analyzing', 'promoting', 'available', 'processing', 'transcoding', 'ready', 'degraded', 'quarantined', 'deleted')),
  constraint media_assets_owed check (state not in ('validating', 'analyzing', 'deleted') or due_at is not null),
  constraint media_assets_keeping check (state <> 'quarantined' or (due_at is null) = (object_id is null)),
  constraint media_assets_owner check ((owner_type is null) = (owner_id is null))
);

create table rindle.media_variants (
  id uuid primary key,
  asset_id uuid not null references rindle.media_assets (id),
  name text not null,
  output_kind text not null,
  state text not null,
  previous_state text,
  recipe_digest bytea not null,
  object_id uuid,
  fence integer not null default 0,
  due_at timestamptz,
  progress smallint not null default 0,
  content_type text,
  byte_size bigint,
  width integer,
  height integer,
  duration_ms bigint,
  error_code text,
  error_detail text,
  inserted_at timestamptz not null,
  state_changed_at timestamptz not null,
  constraint media_variants_name unique (asset_id, name),
  constraint media_variants_state check (state in ('planned', 'queued', 'processing', 'ready', 'stale', 'missing', 'failed', 'cancelled', 'purged')),
  constraint media_variants_owed check (state not in ('planned', 'queued', 'processing') or due_at is not null),
  constraint media_variants_ready check (state <> 'ready' or object_id is not null),
  constraint media_variants_progress check (progress between 0 and 100)
);

create table rindle.media_upload_sessions (
  id uuid primary key,
  asset_id uuid not null references rindle.media_assets (id),
  profile text not null,
  owner_type text,
  owner_id text,
  state text not null,
  previous_state text,
  upload_strategy text not null,
  resumable_protocol text,
  object_id uuid,
  declared_bytes bigint,
  declared_type text not null,
  declared_sha256 bytea,
  part_bytes bigint,
  upload_length bigint,
  committed_offset bigint,
  session_uri bytea,
  idempotency_key text,
  due_at timestamptz,
  expires_at timestamptz not null,
  verified_at timestamptz,
  inserted_at timestamptz not null,
  state_changed_at timestamptz not null,
  constraint media_upload_sessions_state check (state in ('initialized', 'signed', 'resuming', 'uploading', 'uploaded', 'verifying', 'completed', 'aborted', 'expired', 'failed')),
  constraint media_upload_sessions_owed check (state in ('verifying') or due_at is not null),
  constraint media_upload_sessions_owner check ((owner_type is null) = (owner_id is null)),
  constraint media_upload_sessions_key check (idempotency_key is null or owner_id is not null)
);

create table rindle.media_objects (
  id uuid primary key,
  asset_id uuid references rindle.media_assets (id),
  variant_id uuid references rindle.media_variants (id),
  session_id uuid references rindle.media_upload_sessions (id),
  role text not null,
  store text not null,
  key text not null,
  upload_id text,
  state text not null,
  previous_state text,
  fence integer not null default 0,
  byte_size bigint,
  content_type text,
  sha256 bytea,
  etag text,
  version text,
  recipe_digest bytea,
  due_at timestamptz,
  watch_until timestamptz,
  inserted_at timestamptz not null,
  state_changed_at timestamptz not null,
  constraint media_objects_key unique (store, key),
  constraint media_objects_state check (state in ('reserved', 'present', 'doomed', 'watched')),
  constraint media_objects_owed check (state not in ('doomed', 'watched') or due_at is not null),
  constraint media_objects_role check (role in ('staging', 'original', 'variant', 'tail', 'unmanaged')),
  constraint media_objects_asset check ((role = 'unmanaged') = (asset_id is null))
);

alter table rindle.media_assets add constraint media_assets_object foreign key (object_id) references rindle.media_objects (id);
alter table rindle.media_variants add constraint media_variants_object foreign key (object_id) references rindle.media_objects (id);
alter table rindle.media_upload_sessions add constraint media_upload_sessions_object foreign key (object_id) references rindle.media_objects (id);

create table rindle.media_attachments (
  id uuid primary key,
  owner_type text not null,
  owner_id text not null,
  slot text not null,
  many boolean not null,
  asset_id uuid not null references rindle.media_assets (id),
  standing text not null,
  due_at timestamptz,
  position integer,
  alt text,
  caption text,
  inserted_at timestamptz not null,
  constraint media_attachments_standing check (standing in ('current', 'pending', 'released')),
  constraint media_attachments_pending check (standing = 'current' or due_at is not null)
);

create table rindle.media_processing_runs (
  id uuid primary key,
  asset_id uuid not null references rindle.media_assets (id),
  job text not null,
  variant_names text[] not null default '{}',
  attempt integer not null,
  fence integer not null,
  worker text not null,
  state text not null,
  previous_state text,
  error_code text,
  figures jsonb not null default '{}',
  started_at timestamptz not null,
  finished_at timestamptz,
  state_changed_at timestamptz not null,
  constraint media_processing_runs_state check (state in ('processing', 'succeeded', 'failed'))
);

create table rindle.state_moves (
  xid xid8 not null default pg_current_xact_id(),
  seq bigint generated always as identity,
  at timestamptz not null,
  entity text not null,
  entity_id uuid not null,
  asset_id uuid,
  move text not null,
  from_state text,
  to_state text not null,
  actor text,
  reason text
);

create table rindle.leases (
  name text primary key,
  holder text,
  fence bigint not null default 0,
  until timestamptz not null,
  cursor jsonb,
  clock_doubted_until timestamptz
);

create unique index media_upload_sessions_idempotency on rindle.media_upload_sessions (profile, owner_type, owner_id, idempotency_key)
  where idempotency_key is not null and state in ('initialized', 'signed', 'resuming', 'uploading', 'uploaded', 'completed');
create unique index media_attachments_current on rindle.media_attachments (owner_type, owner_id, slot) where standing = 'current' and not many;
create unique index media_attachments_pending_one on rindle.media_attachments (owner_type, owner_id, slot) where standing = 'pending' and not many;
create unique index media_attachments_member on rindle.media_attachments (owner_type, owner_id, slot, asset_id) where standing = 'current' and many;

create index media_assets_due on rindle.media_assets (due_at) where due_at is not null;
create index media_variants_due on rindle.media_variants (due_at) where due_at is not null;
create index media_upload_sessions_due on rindle.media_upload_sessions (due_at) where due_at is not null;
create index media_objects_due on rindle.media_objects (due_at) where due_at is not null;
create index media_attachments_due on rindle.media_attachments (due_at) where due_at is not null;
create index media_assets_unhappy on rindle.media_assets (state, id) where state in ('degraded', 'quarantined', 'deleted');
create index media_variants_unhappy on rindle.media_variants (state, id) where state in ('failed', 'cancelled', 'missing', 'stale');
create index media_assets_owner on rindle.media_assets (owner_type, owner_id, id) where owner_id is not null;
create index media_assets_object_id on rindle.media_assets (object_id) where object_id is not null;
create index media_variants_object_id on rindle.media_variants (object_id) where object_id is not null;
create index media_upload_sessions_object_id on rindle.media_upload_sessions (object_id) where object_id is not null;
create index media_upload_sessions_asset_id on rindle.media_upload_sessions (asset_id);
create index media_objects_asset_id on rindle.media_objects (asset_id) where asset_id is not null;
create index media_objects_variant_id on rindle.media_objects (variant_id) where variant_id is not null;
create index media_objects_session_id on rindle.media_objects (session_id) where session_id is not null;
create index media_attachments_asset_id on rindle.media_attachments (asset_id);
create index media_attachments_owner on rindle.media_attachments (owner_type, owner_id, slot);
create index media_processing_runs_asset_id on rindle.media_processing_runs (asset_id);
create index state_moves_order on rindle.state_moves (xid, seq);

insert into rindle.leases (name, until) values ('sweep', 'epoch'), ('events', 'epoch');
`
