import { type RawBuilder, sql } from 'kysely'
import { writeWatchSeconds } from '../../core/patience.ts'

/**
 * What dooming writes of an object `t`: when it is to be deleted, and until when it is looked out for afterwards. What was only reserved may
 * still be on its way, and a part of a multipart upload may land between the abort and the deletion: both are always watched. So is what a
 * ticket or an earlier watch reaches.
 */
export const doomed = (at: Date, dueAt: Date | RawBuilder<unknown> = at): Readonly<Record<string, unknown>> => ({
  due_at: dueAt,
  watch_until: sql`case when t.state = 'reserved' or t.upload_id is not null
    then greatest(t.watch_until, ${at}::timestamptz + make_interval(secs => ${writeWatchSeconds}::int)) else t.watch_until end`,
})
