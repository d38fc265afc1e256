/**
 * Never edited once landed: a change is a migration with the next number.
 *
 * `alive` is part of a unique key for one reason: an update that changes such a column conflicts with `for key share` in every view of the
 * row, however old. The lock `for update` alone is forgotten by PostgreSQL when its transaction had shared the row with others before, or locked
 * it outside of a savepoint: whoever comes with an older view then shares a row that is gone.
 */
export const alive = `
alter table rindle.media_assets add column alive boolean not null default true;
update rindle.media_assets set alive = false where state = 'deleted';
alter table rindle.media_assets
  add constraint media_assets_alive check (alive = (state <> 'deleted')),
  add constraint media_assets_alive_key unique (id, alive);
`
