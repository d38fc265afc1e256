import type { RindleContext } from '../../context.ts'
import { jobs } from './jobs.ts'
import { defaultConcurrency, runWorker, type Worker, type WorkerOptions } from './worker.ts'

/** Starts a worker that does every job there is, sweeps and emits events, with its decoders ready. `ctx` must be open. */
export function startWorker(ctx: RindleContext, options: WorkerOptions = {}): Worker {
  if (Object.values(ctx.profiles).some(({ kind }) => kind === 'media')) {
    ctx.jail
      .warm(options.concurrency ?? defaultConcurrency)
      .catch((err: unknown) => ctx.logger.error({ event: 'decoders_cold', err }, 'No decoder could be started ahead of the first file.'))
  }
  return runWorker(ctx, jobs, options)
}
