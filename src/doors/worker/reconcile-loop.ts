import type { RindleContext } from '../../context.ts'
import { isRindleError } from '../../core/errors.ts'
import { reconcileAfterSeconds, reconcileAgainSeconds, reconcileEverySeconds } from '../../core/schedule.ts'
import { reconcileStorage } from '../../flows/ops/reconcile-storage.ts'
import { createNap, type Loop } from './loop.ts'

/**
 * Turns once a day, beginning some minutes after the worker did. A database that goes away in the middle is for loops with short turns to
 * judge: this one lists for hours, so it rests and begins again.
 */
export const reconcileLoop = (ctx: RindleContext, holder: string, signal: AbortSignal): Loop => {
  const firstMs = ctx.clock.monotonicMs() + reconcileAfterSeconds * 1000
  return {
    name: 'reconcile',
    nap: createNap(ctx.clock),
    async turn() {
      const waitMs = firstMs - ctx.clock.monotonicMs()
      if (waitMs > 0) return waitMs
      try {
        const { outcome } = await reconcileStorage(ctx, { holder, signal })
        return (outcome === 'done' ? reconcileEverySeconds : reconcileAgainSeconds) * 1000
      } catch (err) {
        if (!isRindleError(err) || err.code !== 'database_unavailable') throw err
        ctx.logger.warn(
          { event: 'reconcile_broken_off', err },
          'The database went away while storage was held against it; again in an hour.',
        )
        return reconcileAgainSeconds * 1000
      }
    },
  }
}
