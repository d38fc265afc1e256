import type { RindleContext } from '../../context.ts'
import { opsLeaseSeconds } from '../../core/schedule.ts'
import { cursorAfterRestore, listEvents } from '../../database/queries/events.ts'
import { claimLease, type EventCursor, type Lease, moveCursor } from '../../database/queries/leases.ts'

const pageSize = 500

/** The emitter's lease as a worker remembers it between two calls. */
export interface EmitterHold {
  readonly lease: Lease
  readonly cursor: EventCursor | null
  /** By the worker's monotonic clock. */
  readonly renewAtMs: number
}

interface Emission {
  /** To be handed in next time; null when another worker emits. */
  readonly hold: EmitterHold | null
  /** True when there is more to emit at once. */
  readonly more: boolean
}

/**
 * Publishes what the history has to say since the last time, in order and after its commit, when this worker holds the emitter's lease.
 * Each event at least once: twice only when a worker dies between publishing and remembering.
 */
export async function emitEvents(
  ctx: Pick<RindleContext, 'db' | 'clock' | 'telemetry' | 'logger'>,
  hold: EmitterHold | null,
  { holder }: { readonly holder: string },
): Promise<Emission> {
  const held = hold && ctx.clock.monotonicMs() < hold.renewAtMs ? hold : await take(ctx, hold, holder)
  if (!held) return { hold: null, more: false }

  const { events, cursor } = await listEvents(ctx.db.pool, held.cursor, pageSize)
  if (events.length === 0) return { hold: held, more: false }
  for (const event of events) ctx.telemetry.publish(event)
  if (!(await moveCursor(ctx.db.pool, held.lease, cursor))) return { hold: null, more: false }
  return { hold: { ...held, cursor }, more: events.length === pageSize }
}

/** Takes or prolongs the lease. Whoever takes it anew believes the row, not what it remembers. */
async function take(
  ctx: Pick<RindleContext, 'db' | 'clock' | 'logger'>,
  hold: EmitterHold | null,
  holder: string,
): Promise<EmitterHold | null> {
  const renewAtMs = ctx.clock.monotonicMs() + (opsLeaseSeconds * 1000) / 3
  const lease = await claimLease(ctx.db.pool, { name: 'events', holder, at: ctx.clock.now(), seconds: opsLeaseSeconds })
  if (!lease) return null
  if (hold && hold.lease.fence === lease.fence) return { ...hold, renewAtMs }
  const present = lease.cursor && (await cursorAfterRestore(ctx.db.pool, lease.cursor))
  if (present) {
    ctx.logger.warn({ event: 'events_restarted' }, 'The database was restored from another one: events start at the present.')
    await moveCursor(ctx.db.pool, lease, present)
  }
  return { lease, cursor: present ?? lease.cursor, renewAtMs }
}
