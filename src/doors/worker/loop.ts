import type { RindleContext } from '../../context.ts'
import { RindleError } from '../../core/errors.ts'
import type { Clock } from '../../core/clock.ts'

/** A rest that can be cut short. A wake while nobody rests is remembered, so that none is lost. */
interface Nap {
  wake(): void
  rest(ms: number): Promise<void>
}

export function createNap(clock: Clock): Nap {
  let woken = false
  let rouse: (() => void) | null = null
  return {
    wake() {
      woken = true
      rouse?.()
    },
    async rest(ms) {
      const ender = new AbortController()
      if (!woken) {
        const roused = new Promise<void>((resolve) => (rouse = resolve))
        await Promise.race([roused, clock.sleep(ms, ender.signal).catch(() => undefined)])
      }
      ender.abort()
      rouse = null
      woken = false
    },
  }
}

export interface Loop {
  /** What it is called in logs and in `worker_failed`. */
  readonly name: string
  readonly nap: Nap
  /** Does one turn. @returns the milliseconds to rest. */
  turn(): Promise<number>
}

interface LoopControl {
  readonly stopped: () => boolean
  /** Whether the loop's last turn failed. */
  readonly report: (name: string, failing: boolean) => void
}

const firstRetryMs = 250
const longestRetryMs = 5_000
/** A database that was gone for so long is not coming back by itself. */
const patienceMs = 300_000

/**
 * Turns until it is stopped. A turn that fails is tried again, less and less often; for five minutes, because databases restart.
 *
 * @throws RindleError `worker_failed` when it cannot go on.
 */
export async function keepTurning(
  ctx: Pick<RindleContext, 'clock' | 'logger'>,
  loop: Loop,
  { stopped, report }: LoopControl,
): Promise<void> {
  let failingSinceMs: number | null = null
  let retryMs = firstRetryMs
  while (!stopped()) {
    let restMs: number
    try {
      restMs = await loop.turn()
      if (failingSinceMs !== null) ctx.logger.warn({ event: 'worker_recovered', loop: loop.name }, 'The worker goes on.')
      failingSinceMs = null
      retryMs = firstRetryMs
      report(loop.name, false)
    } catch (err) {
      const nowMs = ctx.clock.monotonicMs()
      if (failingSinceMs === null)
        ctx.logger.warn({ event: 'worker_trouble', loop: loop.name, err }, 'The worker cannot go on for the moment; it will try again.')
      failingSinceMs ??= nowMs
      report(loop.name, true)
      if (isHopeless(err) || nowMs - failingSinceMs >= patienceMs)
        throw new RindleError('worker_failed', { loop: loop.name }, { cause: err })
      restMs = retryMs
      retryMs = Math.min(retryMs * 2, longestRetryMs)
    }
    if (restMs > 0 && !stopped()) await loop.nap.rest(restMs)
  }
}

const isHopeless = (err: unknown): boolean =>
  err instanceof RindleError && (err.code === 'rindle_closed' || err.code === 'schema_version_mismatch')
