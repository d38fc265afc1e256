import { RindleError } from '../../core/errors.ts'

/** One call that changes something, on its way to the bucket. */
export interface BucketCall {
  readonly operation: 'put' | 'copy' | 'delete' | 'create' | 'complete' | 'abort' | 'send'
  readonly key: string
  /** Of a copy: its source. */
  readonly from?: string
  readonly uploadId?: string
  readonly partNumber?: number
}

/**
 * What becomes of a call: it takes effect and is answered; it takes effect and the answer is lost; the connection is lost and the
 * effect comes later, when `land()` says; the connection is lost and nothing ever happens.
 */
export type Landing = 'now' | 'unseen' | 'late' | 'never'

/**
 * Decides for each call. A promise holds the call up; a caller that gives up meanwhile is told so, and the call still lands when the
 * promise resolves.
 */
export type LandingHook = (call: BucketCall) => Landing | Promise<Landing>

export interface LateCall {
  readonly call: BucketCall
  /** Lets it take effect now. @returns false when the bucket refused it: by then it was against a condition, or its upload gone. */
  land(): boolean
}

export interface Landings {
  /** Calls whose senders were told that the connection was lost, and that have not landed yet. Oldest first. */
  readonly late: readonly LateCall[]
  run<T>(call: BucketCall, signal: AbortSignal | undefined, effect: () => T): Promise<T>
}

/** Runs effects when the hook says. `lost` makes what a caller whose connection was lost is told. */
export const createLandings = (hook: LandingHook | undefined, lost: (call: BucketCall) => unknown): Landings => {
  const late: LateCall[] = []
  const postpone = (call: BucketCall, effect: () => unknown): void => {
    const one: LateCall = {
      call,
      land() {
        const at = late.indexOf(one)
        if (at < 0) return false
        late.splice(at, 1)
        return takesEffect(effect)
      },
    }
    late.push(one)
  }
  const settle = <T>(landing: Landing, call: BucketCall, effect: () => T): T => {
    if (landing === 'now') return effect()
    if (landing === 'unseen') takesEffect(effect)
    if (landing === 'late') postpone(call, effect)
    throw lost(call)
  }
  return {
    late,
    async run(call, signal, effect) {
      signal?.throwIfAborted()
      const landing = hook?.(call) ?? 'now'
      if (typeof landing === 'string') return settle(landing, call, effect)
      const given = { up: false }
      const known = landing.then((decided) => {
        if (given.up && decided === 'late') postpone(call, effect)
        if (given.up && (decided === 'now' || decided === 'unseen')) takesEffect(effect)
        return decided
      })
      return settle(await unlessAborted(known, signal, given), call, effect)
    },
  }
}

const takesEffect = (effect: () => unknown): boolean => {
  try {
    effect()
    return true
  } catch {
    return false
  }
}

const unlessAborted = async <T>(waited: Promise<T>, signal: AbortSignal | undefined, given: { up: boolean }): Promise<T> => {
  if (!signal) return waited
  let stop = (): void => undefined
  const aborted = new Promise<never>((_, reject) => {
    stop = () => {
      given.up = true
      reject(signal.reason)
    }
    signal.addEventListener('abort', stop, { once: true })
  })
  try {
    return await Promise.race([waited, aborted])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

export const lostConnection = (operation: string, store: string): RindleError =>
  new RindleError('storage_failed', { operation, store }, { cause: new DOMException('The connection was lost', 'NetworkError') })
