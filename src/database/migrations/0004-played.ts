/**
 * Never edited once landed: a change is a migration with the next number.
 *
 * What films and sounds are made of, as far as an app asks for it.
 */
export const played = `
alter table rindle.media_assets add column rotation integer;
alter table rindle.media_assets add column frames_per_second float8;
alter table rindle.media_assets add column video_codec text;
alter table rindle.media_assets add column audio_codec text;
`
