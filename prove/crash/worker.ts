import { contextOf } from '../../src/context.ts'
import { jobs } from '../../src/doors/worker/jobs.ts'
import { runWorker, type Worker } from '../../src/doors/worker/worker.ts'
import { told } from '../told.ts'
import { openCrashApp } from './app.ts'
import { serve } from './child.ts'
import { as, createPorts } from './ports.ts'

const filesAtOnce = 8

/** A worker of its own. What it does outside of a job, `worker` does. */
await serve(async ({ task, time, passing, logger, say }) => {
  const rindle = openCrashApp(task, time, createPorts(passing, 'worker'), logger)
  await rindle.ready()
  const table = jobs.map(({ name, run }) => ({
    name,
    run: (...given: Parameters<typeof run>) => as(name, () => run(...given)),
  }))
  let worker: Worker | null = null
  return {
    begin() {
      worker = runWorker(contextOf(rindle), table, { concurrency: filesAtOnce, encoders: filesAtOnce })
      worker.failed.catch((err: unknown) => say({ word: 'breach', text: `a worker gave up: ${told(err)}` }))
    },
    rest: async () => worker?.stop(),
  }
})
