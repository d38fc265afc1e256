import type { RindleContext } from '../../context.ts'
import type { Asset, AssetState } from '../../core/asset.ts'
import { recordedError, RindleError } from '../../core/errors.ts'
import { findAssetWithVariants } from '../../database/queries/assets.ts'

export interface SettledOptions {
  readonly signal?: AbortSignal
  /** Default a minute. */
  readonly timeoutMs?: number
}

const restingStates: readonly AssetState[] = ['available', 'ready', 'degraded']
const firstPollMs = 100
const longestPollMs = 2_000

/**
 * Waits until an asset has left the gate and nothing more is being made from it. Looks when told that it changed, and now and then
 * anyway. An asset that passed but lacks a variant resolves too, as `degraded`.
 *
 * @throws RindleError the verdict itself when the gate refused it (`asset.error.code`, in the same words); `asset_not_found`, also when
 * it is purged meanwhile; `settled_timeout`; the reason of `signal`.
 */
export async function settled(
  ctx: Pick<RindleContext, 'db' | 'changes' | 'clock'>,
  assetId: string,
  options: SettledOptions = {},
): Promise<Asset> {
  const { signal, timeoutMs = 60_000 } = options
  const deadlineMs = ctx.clock.monotonicMs() + timeoutMs
  const bell = createBell()
  const unwatch = ctx.changes.watch(assetId, bell.ring)
  try {
    for (let pollMs = firstPollMs; ; pollMs = Math.min(pollMs * 2, longestPollMs)) {
      signal?.throwIfAborted()
      bell.hush()
      const found = await findAssetWithVariants(ctx.db.pool, assetId)
      if (!found || found.asset.state === 'deleted') throw new RindleError('asset_not_found', { assetId })
      const { asset } = found
      if (asset.state === 'quarantined') throw verdictOn(asset)
      if (restingStates.includes(asset.state)) return asset
      const leftMs = deadlineMs - ctx.clock.monotonicMs()
      if (leftMs <= 0) throw new RindleError('settled_timeout', { assetId, timeoutMs, state: asset.state })
      await bell.wait(ctx, Math.min(pollMs, leftMs), signal)
    }
  } finally {
    unwatch()
  }
}

const verdictOn = (asset: Asset): RindleError => {
  const details = asset.metadata['refused']
  const problem = asset.error ?? { code: 'internal_error', message: 'The file is held back.' }
  return recordedError(problem, typeof details === 'object' && details !== null ? details : {})
}

/** Wakes the one who waits, or the next one who comes when nobody does. */
const createBell = () => {
  let rung = false
  let wake: AbortController | null = null
  return {
    ring: (): void => {
      rung = true
      wake?.abort()
    },
    hush: (): void => {
      rung = false
    },
    async wait(ctx: Pick<RindleContext, 'clock'>, ms: number, signal: AbortSignal | undefined): Promise<void> {
      if (rung) return
      wake = new AbortController()
      const woken = signal ? AbortSignal.any([signal, wake.signal]) : wake.signal
      await ctx.clock.sleep(ms, woken).catch(() => undefined)
      wake = null
    },
  }
}
