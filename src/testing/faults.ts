import type { Clock } from '../core/clock.ts'
import { RindleError } from '../core/errors.ts'
import { createClock } from '../database/clock.ts'
import { createChances } from './chances.ts'
import { waitForAbort } from './faulty-storage/streams.ts'

/** Where the library meets the outside. */
export type Port = 'storage' | 'database' | 'queue' | 'jail' | 'clock'

/** One call of a port, before it is made. */
export interface PortCall<P extends Port = Port, O extends string = string> {
  readonly port: P
  /** From 0, in the order of the calls of this one port. */
  readonly index: number
  readonly operation: O
}

/** A call, and what went wrong with it. */
export type Fault<C extends PortCall = PortCall, K extends string = string> = C & { readonly kind: K }

/** What slow and hanging calls wait by. A settable clock is told that they wait for nothing but time. */
export type FaultClock = Pick<Clock, 'sleep'> & { waiting?<T>(wait: Promise<T>): Promise<T> }

/** The same for every port: which calls go wrong, and how. */
export interface FaultOptions<C extends PortCall, K extends string> {
  /** The calls that go wrong, and how, follow from it and from the order of the calls. Default 1. */
  readonly seed?: number
  /** The share of calls that go wrong, from 0 to 1. Default 0.1. Not looked at where there is a `plan`. */
  readonly rate?: number
  /** Default: all that can happen to the call. */
  readonly kinds?: readonly K[]
  /** Says for each call what goes wrong with it, if anything. */
  readonly plan?: (call: C) => K | null
  /** Default 1000. */
  readonly slowMs?: number
  /** What slow and hanging calls wait by. Default: the machine's. */
  readonly clock?: FaultClock
}

/** The same for every port: what went wrong so far, and an end to it. */
export interface Faults<C extends PortCall, K extends string> {
  /** What went wrong so far, in the order of the calls. */
  readonly log: readonly Fault<C, K>[]
  /** From now on all goes well, until `rouse`. What hangs goes on hanging. */
  calm(): void
  rouse(): void
}

/** What a port that goes wrong asks before each call. */
export interface Decider<C extends PortCall, K extends string> {
  readonly faults: Faults<C, K>
  /** What goes wrong with the call of that index, which is the next one. @throws RindleError `argument_invalid` */
  decide(call: (index: number) => C): K | null
  /** Lets the time of a slow call pass. Rejects with the signal's reason. */
  slow(signal?: AbortSignal): Promise<void>
  /** Waits until the signal aborts, and rejects with its reason; at most so long, when that is said. */
  hang(signal: AbortSignal | undefined, ms?: number): Promise<void>
  /** A number in [0, 1) of its own: where something is cut. */
  chance(): number
}

/**
 * Decides which calls of a port go wrong: by plan, or by a chance that a seed replays.
 *
 * @throws RindleError `argument_invalid`; `decide` the same when the plan names what cannot happen to the call.
 */
export const createDecider = <C extends PortCall, K extends string>(
  options: FaultOptions<C, K>,
  possible: (call: C) => readonly K[],
): Decider<C, K> => {
  const { seed = 1, rate = 0.1, kinds, slowMs = 1000 } = options
  const clock: FaultClock = options.clock ?? createClock()
  if (!(rate >= 0 && rate <= 1)) throw new RindleError('argument_invalid', { argument: 'rate', problem: 'it is a share, from 0 to 1' })
  const chance = createChances(seed)
  const log: Fault<C, K>[] = []
  let index = 0
  let isCalm = false

  const byChance = (call: C): K | null => {
    const [wrong, which] = [chance(), chance()]
    const left = possible(call).filter((kind) => kinds?.includes(kind) ?? true)
    return wrong < rate ? (left[Math.floor(which * left.length)] ?? null) : null
  }
  const slept = (ms: number, signal?: AbortSignal): Promise<void> =>
    clock.sleep(ms, signal).catch((err: unknown) => {
      throw signal?.aborted ? signal.reason : err
    })
  const waiting = <T>(wait: Promise<T>): Promise<T> => clock.waiting?.(wait) ?? wait

  return {
    faults: { log, calm: () => void (isCalm = true), rouse: () => void (isCalm = false) },
    decide(callAt) {
      const call = callAt(index)
      index += 1
      if (isCalm) return null
      const kind = (options.plan ?? byChance)(call)
      if (kind === null) return null
      if (!possible(call).includes(kind))
        throw new RindleError('argument_invalid', { argument: 'plan', problem: `${kind} cannot happen to ${call.operation}` })
      log.push({ ...call, kind })
      return kind
    },
    slow: (signal) => waiting(slept(slowMs, signal)),
    hang: (signal, ms) => waiting(ms === undefined ? waitForAbort(signal) : slept(ms, signal)),
    chance: createChances(seed + 1),
  }
}
