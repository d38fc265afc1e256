/**
 * Never edited once landed: a change is a migration with the next number.
 *
 * Which job makes a variant, so that the sweep wakes the right one, and what is known of those that move or sound.
 */
export const encoded = `
alter table rindle.media_variants add column job text not null default 'build_variants';
alter table rindle.media_variants add column has_audio_track boolean;
alter table rindle.media_variants add column tile_width integer;
alter table rindle.media_variants add column tile_height integer;
alter table rindle.media_variants add column tile_columns integer;
alter table rindle.media_variants add column tile_rows integer;
alter table rindle.media_variants add column tile_count integer;
alter table rindle.media_variants add column tile_interval_ms integer;
alter table rindle.media_variants
  add constraint media_variants_job check (job in ('build_variants', 'make_poster', 'transcode_asset'));
`
