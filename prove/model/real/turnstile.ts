import type { RindleContext } from '../../../src/context.ts'
import type { Clock } from '../../../src/core/clock.ts'
import type { Jail } from '../../../src/core/ports/jail.ts'
import type { Landing } from '../bucket.ts'

type Store = ReturnType<RindleContext['stores']['at']>

export type CallName = 'copy' | 'head' | 'read' | 'put' | 'delete' | 'judge'

/** Where somebody is held: about to make a call, or about to hear of its answer. */
export interface Stop {
  readonly call: CallName
  readonly phase: 'before' | 'after'
  /** Lets it go on; a call that is about to be made lands so. */
  go(landing: Landing): void
  /** Sends what it is about to send, to land late, while it stays where it is. */
  sendOff(): Promise<void>
}

/** Somebody who works through the real flows, one call at a time. */
export interface Player {
  /** Null while it is between two calls, and when it is over. */
  stop(): Stop | null
  /** Waits until it is held or over. @returns where it is held; null when it is over. */
  arrive(): Promise<Stop | null>
  /** Lets its timers fire, as far as its clock says that they should. */
  fireTimers(): void
  /** It never goes on from where it is. */
  kill(): void
}

export interface PlayerOptions {
  readonly ctx: RindleContext
  readonly clock: Clock
  readonly jail: Jail
  /** Says how the next call lands that changes something. */
  readonly direct: (landing: Landing) => void
  readonly run: (ctx: RindleContext) => Promise<unknown>
  /** What it ended with, when that was an error. */
  readonly failed: (err: unknown) => void
}

interface Arrivals {
  current: Stop | null
  isOver: boolean
  isDead: boolean
  waiting: (() => void)[]
}

export const startPlayer = ({ ctx, clock, jail, direct, run, failed }: PlayerOptions): Player => {
  const arrivals: Arrivals = { current: null, isOver: false, isDead: false, waiting: [] }
  const changed = (): void => {
    for (const wake of arrivals.waiting.splice(0)) wake()
  }
  const timers = createTimers()
  const hold = holdIn(arrivals, changed)
  const own: RindleContext = {
    ...ctx,
    clock: { ...clock, sleep: timers.sleep },
    changes: { announce() {}, watch: () => () => undefined },
    jail: {
      ...jail,
      async visit(visit) {
        if (visit.purpose === 'gate') await hold({ call: 'judge', phase: 'before', signal: visit.signal })
        return jail.visit(visit)
      },
    },
    stores: {
      of: (profile) => heldStore(ctx.stores.of(profile), { hold, direct }),
      at: (id) => heldStore(ctx.stores.at(id), { hold, direct }),
      all: () => ctx.stores.all(),
    },
  }
  run(own)
    .catch(failed)
    .finally(() => {
      arrivals.isOver = true
      changed()
    })
  return {
    stop: () => arrivals.current,
    async arrive() {
      while (!arrivals.current && !arrivals.isOver) await new Promise<void>((resolve) => arrivals.waiting.push(resolve))
      return arrivals.current
    },
    fireTimers: () => timers.fire(),
    kill: () => void (arrivals.isDead = true),
  }
}

interface Holding extends Pick<Stop, 'call' | 'phase'> {
  readonly signal?: AbortSignal | undefined
  readonly sendOff?: () => Promise<unknown>
}

type Hold = (holding: Holding) => Promise<Landing>

/** Whoever is killed is held for ever; whoever is told to stop while it is about to call goes on with that. */
const holdIn =
  (arrivals: Arrivals, changed: () => void): Hold =>
  ({ call, phase, signal, sendOff }) =>
    new Promise((resolve, reject) => {
      if (arrivals.isDead) return
      if (signal?.aborted) return reject(signal.reason)
      const leave = (): boolean => {
        if (arrivals.isDead || arrivals.current !== stop) return false
        arrivals.current = null
        signal?.removeEventListener('abort', abort)
        return true
      }
      const abort = (): void => void (leave() && reject(signal?.reason))
      const stop: Stop = {
        ...{ call, phase },
        go: (landing) => void (leave() && resolve(landing)),
        sendOff: async () => void (await sendOff?.().catch(() => undefined)),
      }
      signal?.addEventListener('abort', abort)
      arrivals.current = stop
      changed()
    })

interface Holds {
  readonly hold: Hold
  readonly direct: (landing: Landing) => void
}

const heldStore = (store: Store, { hold, direct }: Holds): Store => {
  const held = async <T>(call: CallName, signal: AbortSignal | undefined, send: (own?: AbortSignal) => Promise<T>): Promise<T> => {
    const sendOff = (): Promise<T> => {
      direct('late')
      return send()
    }
    direct(await hold({ call, phase: 'before', signal, sendOff }))
    try {
      return await send(signal)
    } finally {
      await hold({ call, phase: 'after' })
    }
  }
  return {
    ...store,
    copy: (from, to, options) => held('copy', options?.signal, (signal) => store.copy(from, to, having(options ?? {}, signal))),
    head: (key, options) => held('head', options?.signal, (signal) => store.head(key, having(options ?? {}, signal))),
    read: (key, options) => held('read', options?.signal, (signal) => store.read(key, having(options ?? {}, signal))),
    put: (key, body, options) => held('put', options.signal, (signal) => store.put(key, body, having(options, signal))),
    delete: (key, options) => held('delete', options?.signal, (signal) => store.delete(key, having(options ?? {}, signal))),
  }
}

/** The same options under the signal of whoever waits, or under none: what was sent off is nobody's any more. */
const having = <O extends object>(options: O & { readonly signal?: AbortSignal | undefined }, signal: AbortSignal | undefined) => {
  const { signal: _, ...rest } = options
  return signal ? { ...rest, signal } : rest
}

/** Timers that fire when they are told to: those of a process that may stand still while time goes on. */
const createTimers = (): { readonly sleep: Clock['sleep']; readonly fire: () => void } => {
  const sleepers = new Set<() => void>()
  return {
    sleep: (_, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason)
        const wake = (): void => {
          sleepers.delete(wake)
          resolve()
        }
        sleepers.add(wake)
        signal?.addEventListener('abort', () => {
          sleepers.delete(wake)
          reject(signal.reason)
        })
      }),
    fire: () => {
      for (const wake of [...sleepers]) wake()
    },
  }
}
