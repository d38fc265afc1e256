import type { Logger } from '../../core/ports/logger.ts'
import type { Worker } from './worker.ts'

/**
 * A worker that is there at once and starts when everything is ready. Where it is not, the log says why and `failed` rejects with the reason;
 * stopped before that, it never starts.
 */
export function workWhenReady(ready: () => Promise<void>, start: () => Worker, logger: Logger): Worker {
  const { promise: failed, reject: fail } = Promise.withResolvers<never>()
  failed.catch(() => undefined)
  let worker: Worker | null = null
  let stopping = false

  const starting = ready().then(
    () => {
      if (stopping) return
      worker = start()
      worker.failed.catch(fail)
    },
    (err: unknown) => {
      logger.error({ event: 'worker_failed', err }, 'The worker does not start: it takes no job here.')
      fail(err)
    },
  )

  return {
    failed,
    async stop(options) {
      stopping = true
      await starting
      await worker?.stop(options)
    },
    health: () => worker?.health() ?? { running: {}, lastLookAt: null, sweeping: false, lagMs: 0, failing: [] },
  }
}
