import type { RindleContext } from '../../context.ts'
import { reconcileAfterSeconds, reconcileAgainSeconds, reconcileEverySeconds } from '../../core/schedule.ts'
import { reconcileStorage } from '../../flows/ops/reconcile-storage.ts'
import { createNap, type Loop } from './loop.ts'

/** Turns once a day, beginning some minutes after the worker did. */
export const reconcileLoop = (ctx: RindleContext, holder: string, signal: AbortSignal): Loop => {
  const firstMs = ctx.clock.monotonicMs() + reconcileAfterSeconds * 1000
  return {
    name: 'reconcile',
    nap: createNap(ctx.clock),
    async turn() {
      const waitMs = firstMs - ctx.clock.monotonicMs()
      if (waitMs > 0) return waitMs
      const { outcome } = await reconcileStorage(ctx, { holder, signal })
      return (outcome === 'done' ? reconcileEverySeconds : reconcileAgainSeconds) * 1000
    },
  }
}
