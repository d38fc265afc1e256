import { type RawBuilder, sql } from 'kysely'
import { objectMachine } from '../../core/object.ts'
import { writeWatchSeconds } from '../../core/patience.ts'
import { moved } from '../move.ts'
import type { Step } from '../statement.ts'

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

/** Dooms what was reserved under earlier fences of the variants that the step `variants` took. */
export const lapsedVariantObjects = (at: Date): Step =>
  moved('lapsed', objectMachine, ['doom'], {
    set: doomed(at),
    from: sql`"variants" n`,
    where: sql`t.variant_id = n.id and t.state = 'reserved' and t.fence < n.fence`,
    expect: null,
  })
