import { type RawBuilder, sql } from 'kysely'
import { secondsAfter, writeWatchSeconds } from '../../core/patience.ts'

/** A doomed object is due at once; what may still be on its way to it is looked out for. */
export const doomedNow = (at: Date, later: RawBuilder<unknown> = sql`${at}::timestamptz`): Readonly<Record<string, unknown>> => ({
  due_at: later,
  watch_until: sql`greatest(t.watch_until, case when t.state = 'reserved' then ${secondsAfter(at, writeWatchSeconds)}::timestamptz end)`,
})
