import type { RindleContext } from '../../context.ts'
import { RindleError } from '../../core/errors.ts'
import { leaseMarginMs, secondsAfter } from '../../core/patience.ts'

export interface HeldLease extends Disposable {
  /** Aborts when the caller's own signal does, and with `lease_lost` when the lease is gone or about to run out. */
  readonly signal: AbortSignal
  isLost(): boolean
}

/** What says that the row changed is often this worker itself, about to be done: its own word alone costs no renewal. */
const lookAfterMs = 500

/** Why nobody waits any more; without it an error is made, with its stack, for every lease. */
const over = 'the lease was disposed of'

/**
 * Renews a lease at every third of it until disposed. What judges whether it still runs is this process's monotonic clock, counted
 * from before the statement that granted it: whoever wakes from a long sleep knows at once that it may not write any more. A word that the
 * row has changed brings the next renewal forward, so that work on what somebody took away ends within moments.
 */
export function holdLease(
  ctx: Pick<RindleContext, 'clock' | 'leaseSeconds'>,
  options: {
    /** `clock.monotonicMs()` from before the claim. */
    readonly grantedAtMs: number
    /** Writes the new end; false when somebody else holds it now. */
    readonly renew: (until: Date) => Promise<boolean>
    /** Calls back whenever the row may have changed. Returns how to stop. */
    readonly watch?: (look: () => void) => () => void
    readonly signal?: AbortSignal | undefined
  },
): HeldLease {
  const leaseMs = ctx.leaseSeconds * 1000
  const marginMs = Math.min(leaseMarginMs, leaseMs / 6)
  const loss = new AbortController()
  const release = new AbortController()
  let heldUntilMs = options.grantedAtMs + leaseMs - marginMs

  const lose = (): void => {
    if (!release.signal.aborted) loss.abort(new RindleError('lease_lost', {}))
  }
  const renew = async (askedAtMs: number): Promise<void> => {
    const held = await options.renew(secondsAfter(ctx.clock.now(), ctx.leaseSeconds)).catch(() => null)
    if (held === false) lose()
    if (held) heldUntilMs = askedAtMs + leaseMs - marginMs
  }
  const holding = async (): Promise<void> => {
    let renewAtMs = options.grantedAtMs + leaseMs / 3
    for (;;) {
      const nowMs = ctx.clock.monotonicMs()
      if (nowMs >= heldUntilMs || loss.signal.aborted) return lose()
      if (nowMs >= renewAtMs) {
        renewAtMs = nowMs + leaseMs / 3
        renew(nowMs).catch(() => undefined)
      }
      await ctx.clock.sleep(Math.min(renewAtMs, heldUntilMs) - nowMs, release.signal)
    }
  }
  holding().catch(() => undefined)

  let looking: Promise<void> | null = null
  const unwatch = options.watch?.(() => {
    looking ??= ctx.clock
      .sleep(lookAfterMs, release.signal)
      .then(() => renew(ctx.clock.monotonicMs()))
      .catch(() => undefined)
      .finally(() => (looking = null))
  })

  return {
    signal: options.signal ? AbortSignal.any([options.signal, loss.signal]) : loss.signal,
    isLost: () => loss.signal.aborted || heldUntilMs <= ctx.clock.monotonicMs(),
    [Symbol.dispose]() {
      unwatch?.()
      release.abort(over)
    },
  }
}
