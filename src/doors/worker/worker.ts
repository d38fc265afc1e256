import type { RindleContext } from '../../context.ts'
import { jobNames } from '../../core/jobs.ts'
import { type ClockReading, lookSeconds, pollSeconds } from '../../core/schedule.ts'
import { clearScratch } from '../../flows/ops/clear-scratch.ts'
import { type EmitterHold, emitEvents } from '../../flows/ops/emit-events.ts'
import { forgetHistory } from '../../flows/ops/forget-history.ts'
import { leaveLeases } from '../../flows/ops/leave-leases.ts'
import { sweep } from '../../flows/ops/sweep.ts'
import { createJobRunner, type JobRecord, type JobRunner } from './job-runner.ts'
import { createNap, keepTurning, type Loop } from './loop.ts'
import { reconcileLoop } from './reconcile-loop.ts'

export interface WorkerOptions {
  /** How many files are worked on at once, each by a decoder of its own; but no more decoders than cores, and the others wait. Default 2. */
  readonly concurrency?: number
  /** How many films and sounds are encoded at once, each by ffmpeg, which takes all cores. Default 1; 0 leaves them to other workers. */
  readonly encoders?: number
}

export interface WorkerHealth {
  /** How many jobs of each kind run now. */
  readonly running: Readonly<Record<string, number>>
  /** When this worker last looked at the clocks; null before its first look. */
  readonly lastLookAt: Date | null
  /** True while this worker is the one that sweeps for all. */
  readonly sweeping: boolean
  /** How long the jobs that were taken last had waited. */
  readonly lagMs: number
  /** Loops whose last turn failed, to be tried again. */
  readonly failing: readonly string[]
}

/** Takes jobs until it is stopped. */
export interface Worker {
  /** Takes no more jobs, waits for those that run, and after `graceMs` (20 s) tells them to give back what they hold. */
  stop(options?: { readonly graceMs?: number }): Promise<void>
  /** Rejects with `worker_failed` when the worker cannot go on. Never resolves. */
  readonly failed: Promise<never>
  health(): WorkerHealth
}

/** Each takes a decoder, which is 100 to 165 MB before it has seen a file. */
export const defaultConcurrency = 2
const emitEveryMs = 500
const otherEmitsMs = 2_000
const forgetEveryMs = 60_000
const clearEveryMs = 3_600_000
const graceMs = 20_000
const giveBackMs = 10_000
/** A database that does not answer must not keep a worker from its end. */
const goodbyeMs = 5_000
const listenAgainMs = 30_000

/** Starts a worker that runs the jobs of `table`. `ctx` must be open. */
export function runWorker(ctx: RindleContext, table: readonly JobRecord[], options: WorkerOptions = {}): Worker {
  const aborter = new AbortController()
  const holder = `${ctx.host.workerName} ${ctx.ids.next()}`
  const jobsNap = createNap(ctx.clock)
  const runner = createJobRunner(ctx, {
    table,
    places: { decoders: options.concurrency ?? defaultConcurrency, encoders: options.encoders ?? 1 },
    signal: aborter.signal,
    changed: () => jobsNap.wake(),
  })
  const looks = lookLoop(ctx, holder, aborter.signal)
  const loops: readonly Loop[] = [
    jobLoop(ctx, runner, jobsNap),
    looks.loop,
    eventLoop(ctx, holder),
    reconcileLoop(ctx, holder, aborter.signal),
  ]
  const failing = new Set<string>()
  let stopping: Promise<void> | null = null
  let stopped = false

  const { promise: failed, reject: fail } = Promise.withResolvers<never>()
  failed.catch(() => undefined)
  const control = {
    stopped: () => stopped,
    report: (name: string, isFailing: boolean) => void (isFailing ? failing.add(name) : failing.delete(name)),
  }
  const turning = loops.map((loop) =>
    keepTurning(ctx, loop, control).catch((err: unknown) => {
      ctx.logger.error({ event: 'worker_failed', err }, 'The worker stops: it cannot go on.')
      fail(err)
      void stop({ graceMs: 0 })
    }),
  )
  const listening = listen(ctx, runner, { nap: jobsNap, signal: aborter.signal })

  const finish = async (grace: number): Promise<void> => {
    stopped = true
    runner.close()
    for (const { nap } of loops) nap.wake()
    await within(ctx, grace, runner.drained())
    aborter.abort()
    await within(ctx, giveBackMs, Promise.all([runner.drained(), ...turning]))
    await within(ctx, goodbyeMs, sayGoodbye())
  }
  const sayGoodbye = async (): Promise<void> => {
    const stopListening = await listening
    await stopListening?.().catch(() => undefined)
    await runner
      .turn()
      .then(() => leaveLeases(ctx, holder))
      .catch((err: unknown) => ctx.logger.warn({ event: 'worker_left', err }, 'The worker could not say goodbye; its leases will run out.'))
  }
  const stop: Worker['stop'] = (how = {}) => (stopping ??= finish(how.graceMs ?? graceMs))

  return {
    stop,
    failed,
    health: () => ({ running: runner.running(), ...looks.seen(), lagMs: runner.lagMs(), failing: [...failing] }),
  }
}

/** Wakes the job loop when something was enqueued. Where nobody can listen it polls, and where that failed it is tried again by and by. */
const listen = async (
  ctx: RindleContext,
  runner: JobRunner,
  { nap, signal }: { readonly nap: Loop['nap']; readonly signal: AbortSignal },
): Promise<(() => Promise<void>) | null> => {
  const wake: Parameters<RindleContext['queue']['listen']>[0] = (names) => {
    runner.wake(names)
    nap.wake()
  }
  for (let failures = 0; !signal.aborted; failures += 1) {
    try {
      const stop = await ctx.queue.listen(wake)
      if (failures > 0) ctx.logger.warn({ event: 'worker_listens' }, 'The worker listens for jobs again.')
      return stop
    } catch (err) {
      if (failures === 0) ctx.logger.warn({ event: 'worker_polls', err }, 'The worker cannot listen for jobs, so it polls for now.')
    }
    await ctx.clock.sleep(listenAgainMs, signal).catch(() => undefined)
  }
  return null
}

/** Turns when it is woken. Every two seconds it looks everywhere: delayed jobs come due without a notification, and one may be lost. */
const jobLoop = (ctx: RindleContext, runner: JobRunner, nap: Loop['nap']): Loop => {
  let polledMs = ctx.clock.monotonicMs()
  return {
    name: 'job',
    nap,
    async turn() {
      const nowMs = ctx.clock.monotonicMs()
      if (nowMs - polledMs >= pollSeconds * 1000) {
        polledMs = nowMs
        runner.wake(jobNames)
      }
      return (await runner.turn()) ? 0 : Math.max(1, polledMs + pollSeconds * 1000 - ctx.clock.monotonicMs())
    },
  }
}

const lookLoop = (ctx: RindleContext, holder: string, signal: AbortSignal) => {
  let previous: ClockReading | null = null
  let seen: Pick<WorkerHealth, 'lastLookAt' | 'sweeping'> = { lastLookAt: null, sweeping: false }
  let forgotMs = ctx.clock.monotonicMs()
  let clearedMs = -Infinity
  const loop: Loop = {
    name: 'look',
    nap: createNap(ctx.clock),
    async turn() {
      const began = ctx.clock.monotonicMs()
      const look = await sweep(ctx, { holder, previous, signal })
      previous = look.reading
      seen = { lastLookAt: look.reading.database, sweeping: look.swept }
      if (look.swept && !look.doubted && began - forgotMs >= forgetEveryMs) {
        forgotMs = began
        await forgetHistory(ctx, { signal })
      }
      if (began - clearedMs >= clearEveryMs) {
        clearedMs = began
        await clearScratch(ctx).catch((err: unknown) =>
          ctx.logger.warn({ event: 'scratch_kept', err }, 'The folder for jobs could not be tidied.'),
        )
      }
      return Math.max(1, lookSeconds * 1000 - (ctx.clock.monotonicMs() - began))
    },
  }
  return { loop, seen: () => seen }
}

const eventLoop = (ctx: RindleContext, holder: string): Loop => {
  let hold: EmitterHold | null = null
  return {
    name: 'event',
    nap: createNap(ctx.clock),
    async turn() {
      const emission = await emitEvents(ctx, hold, { holder })
      hold = emission.hold
      return emission.more ? 0 : hold ? emitEveryMs : otherEmitsMs
    },
  }
}

/** Waits for `work`, but no longer than that. */
const within = async (ctx: Pick<RindleContext, 'clock'>, ms: number, work: Promise<unknown>): Promise<void> => {
  const ender = new AbortController()
  await Promise.race([work, ctx.clock.sleep(ms, ender.signal).catch(() => undefined)])
  ender.abort()
}
