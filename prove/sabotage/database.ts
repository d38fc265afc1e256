import type { Sabotage } from './sabotage.ts'

/** What the statements promise: guards, fences, locks, order. */
export const databaseSabotages: readonly Sabotage[] = [
  {
    name: 'missed-is-not-raised',
    means: 'a statement whose guard missed is no longer undone, so that half of an event stays',
    file: 'src/database/statement.ts',
    find: '  to.text(missed)\n}',
    replace: "  to.text(' then false')\n}",
    red: { test: 'test/journeys/database-moves.test.ts' },
  },
  {
    name: 'admission-without-fence',
    means: 'a worker that slept past its lease still admits what it holds',
    file: 'src/database/queries/gate.ts',
    find: 't.fence = ${given.fence}::int and t.revision',
    replace: 't.revision',
    red: { test: 'test/journeys/promote.test.ts' },
  },
  {
    name: 'build-settles-without-fence',
    means: 'a worker that lost a variant still swaps its pointer',
    file: 'src/database/queries/build-settlement.ts',
    find: 't.id = m.id and t.asset_id = a.id and t.fence = m.fence`',
    replace: 't.id = m.id and t.asset_id = a.id`',
    red: { test: 'test/journeys/build.test.ts' },
  },
  {
    name: 'replaced-is-kept',
    means: 'what a new generation of a variant replaces is never deleted',
    file: 'src/database/queries/build-settlement.ts',
    find: "...(has.includes('stored') && mayReplace",
    replace: "...(has.includes('never') && mayReplace",
    red: { test: 'test/journeys/build.test.ts' },
  },
  {
    name: 'reserved-is-not-watched',
    means: 'a write that lands after its object was doomed is never deleted',
    file: 'src/database/queries/doomed.ts',
    find: "case when t.state = 'reserved' or t.upload_id is not null",
    replace: 'case when t.upload_id is not null',
    red: { test: 'test/journeys/delete.test.ts' },
  },
  {
    name: 'purge-looks-before-it-locks',
    means: 'a purge decides on rows that it has not locked, and an attach in between is lost',
    file: 'src/database/queries/purge.ts',
    find: "for ${lock === 'decide' ? sql`update` : sql`no key update`}",
    replace: "${lock === 'decide' ? sql`` : sql`for no key update`}",
    red: { proof: 'slots' },
  },
]
