import { RindleError } from '../../../core/errors.ts'
import type { VisitRequest } from '../attend.ts'
import type { ChildFolder } from './child-folder.ts'
import { keepLooking, openProcessTable, type ProcessTable } from './excess.ts'
import { type Inbox, replyInbox, type News } from './inbox.ts'
import { launch, type Launched } from './launch.ts'
import { cpuSecondsAtRest, cpuSecondsWithin } from './limits.ts'
import { mostAsks, type Reply, type Request } from './protocol.ts'
import type { Sandbox } from './sandbox.ts'
import { stopwatch } from './stopwatch.ts'

/** What a visit got: the child's own words, or how it came to an end. */
export type Outcome =
  | Extract<Reply, { kind: 'pass' | 'failure' | 'fault' }>
  | { readonly kind: 'killed'; readonly reason: string }
  /** Its time was over, of which the machine had too little for it. */
  | { readonly kind: 'starved'; readonly cpuSeconds: number; readonly seconds: number }
export type Warm = Omit<Extract<Reply, { kind: 'warm' }>, 'kind'>

export interface VisitLimits {
  /** For the child alone, as is the time of the gate: what `read` and `grant` take does not count. */
  readonly timeoutMs: number
  readonly gateTimeoutMs: number
  readonly maxDecodeBytes: number
  readonly signal?: AbortSignal | undefined
  /** Brings what a visit to an excerpt needs of the whole. */
  readonly read?: ((start: number, end: number) => Promise<Uint8Array>) | undefined
  /** Gives the child as much memory on top of what it had when it was warm. */
  readonly grant: (bytes: number) => Promise<void>
  /** Says what the child took beyond its allowance; null when it did not. */
  readonly excess: () => string | null
  /** Hears from 0 to 1 how far the variants are. */
  readonly onProgress?: ((fraction: number) => void) | undefined
}

/** One child process. It serves one visit at a time. */
export interface Decoder {
  readonly alive: boolean
  /** Of the child itself, not of what is around it. Known once it is ready. */
  readonly pid: number
  /** Null without a sandbox. Known once it is ready. */
  readonly table: ProcessTable | null
  /** Waits for the child to say that it is warm. @throws RindleError `decoder_unavailable` */
  ready(timeoutMs: number): Promise<Warm>
  /**
   * Out of time, or aborted: the child is killed, gone and reaped before this settles. When what it asks for cannot be had, it is killed and
   * the reason thrown.
   */
  ask(visit: VisitRequest, limits: VisitLimits): Promise<Outcome>
  /** Kills the child and all that it started; settles when they are gone. */
  kill(): Promise<void>
}

export const startDecoder = (sandbox: Sandbox | null, folder: ChildFolder, nodeArguments: readonly string[]): Decoder => {
  const launched = launch(sandbox, folder, nodeArguments)
  const inbox = replyInbox(launched)
  let pid = 0
  let table: ProcessTable | null = null
  launched.child.once('exit', () => table?.close())
  return {
    get alive() {
      return launched.alive
    },
    get pid() {
      return pid
    },
    get table() {
      return table
    },
    ready: async (timeoutMs) => {
      const said = await warm(launched, inbox, timeoutMs)
      pid = said.pid
      table = sandbox ? openProcessTable(pid) : null
      if (!launched.alive) table?.close()
      return said
    },
    ask: (visit, limits) => ask({ launched, inbox, pid }, visit, limits),
    kill: launched.kill,
  }
}

const warm = async (launched: Launched, inbox: Inbox, timeoutMs: number): Promise<Warm & { readonly pid: number }> => {
  const late = Promise.withResolvers<null>()
  const timer = setTimeout(() => late.resolve(null), timeoutMs)
  const first = await Promise.race([inbox.next(), late.promise])
  const pid = first && (await Promise.race([launched.pid(), late.promise]))
  clearTimeout(timer)
  launched.hold(false)
  if (first?.kind === 'warm' && pid) {
    launched.hush()
    return { ...first, pid }
  }
  const { child } = launched
  const problem =
    child.pid === undefined
      ? 'the process could not be started'
      : child.signalCode || child.exitCode !== null
        ? launched.end()
        : `it was not warm after ${timeoutMs} ms`
  await launched.kill()
  const line = launched.lastLine()
  throw new RindleError('decoder_unavailable', { problem: line === '' ? problem : `${problem}: ${line}` })
}

interface Asked {
  readonly launched: Launched
  readonly inbox: Inbox
  readonly pid: number
}

/** Why a visit does not go on; `ms` where its time is over. */
interface Ending {
  readonly reason: string
  readonly ms?: number
}

const ask = async ({ launched, inbox, pid }: Asked, visit: VisitRequest, limits: VisitLimits): Promise<Outcome> => {
  const { signal, maxDecodeBytes, excess } = limits
  const cpuBefore = cpuSecondsAtRest(pid)
  launched.hold(true)
  const ended = Promise.withResolvers<Ending>()
  const clocks = clocksOf(limits, ended.resolve)
  const stopLooking = keepLooking(() => {
    const reason = excess()
    if (reason !== null) ended.resolve({ reason })
  })
  const abort = (): void => ended.resolve({ reason: 'it was told to stop' })
  signal?.addEventListener('abort', abort, { once: true })
  const hear = hearing(clocks.gated, limits.onProgress)
  try {
    say(launched, { visit, maxDecodeBytes })
    clocks.run()
    for (let asks = 0; ; asks += 1) {
      const said = await Promise.race([inbox.next(hear), ended.promise])
      if (said !== null && 'reason' in said) return await over(said, launched, pid, cpuBefore)
      if (said === null || said.kind === 'warm' || said.kind === 'gated' || said.kind === 'progress')
        return await killed(launched, launched.end())
      if (said.kind !== 'ask' && said.kind !== 'need') return said
      if (asks >= mostAsks || !mayAsk(said, visit, maxDecodeBytes)) return await killed(launched, 'it asked for more than it may have')
      clocks.rest()
      const brought = await Promise.race([bring(said, limits), ended.promise])
      clocks.run()
      if (!('reason' in brought)) say(launched, brought)
    }
  } catch (err) {
    await launched.kill()
    throw err
  } finally {
    clocks.rest()
    stopLooking()
    signal?.removeEventListener('abort', abort)
    launched.hold(false)
  }
}

/** Five times what a sound child says of its progress, after a first burst. */
const newsPerSecond = 10
const newsAtOnce = 100

/** @returns what says false to news that may not be told, or that come too often. */
const hearing = (gated: () => boolean, onProgress: VisitLimits['onProgress']): ((news: News) => boolean | void) => {
  const beganMs = performance.now()
  let heard = 0
  return (news) => {
    if (news.kind === 'gated') return gated()
    heard += 1
    const isFlood = heard > newsAtOnce + ((performance.now() - beganMs) / 1000) * newsPerSecond
    return isFlood ? false : onProgress?.(news.fraction)
  }
}

type Wish = Extract<Reply, { kind: 'ask' | 'need' }>

const bring = async (wish: Wish, { read, grant }: VisitLimits): Promise<Request> => {
  if (wish.kind === 'need') {
    await grant(wish.bytes)
    return { granted: true }
  }
  const bytes = (await read?.(wish.start, wish.end)) ?? new Uint8Array()
  return { bytes: Buffer.from(bytes).toString('base64') }
}

const mayAsk = (wish: Wish, { excerpt }: VisitRequest, maxDecodeBytes: number): boolean =>
  wish.kind === 'need' ? wish.bytes <= maxDecodeBytes : excerpt !== undefined && wish.end <= excerpt.sizeBytes

const say = ({ child }: Launched, request: Request): void => void child.stdin?.write(`${JSON.stringify(request)}\n`)

const killed = async (launched: Launched, reason: string): Promise<Outcome> => {
  await launched.kill()
  return { kind: 'killed', reason }
}

/** Of its time it needs this much as CPU time, or the machine is to blame and not the file. */
const leastShare = 0.5

const over = async ({ reason, ms }: Ending, launched: Launched, pid: number, cpuBefore: number | null): Promise<Outcome> => {
  const cpuNow = ms === undefined || cpuBefore === null ? null : cpuSecondsWithin(pid)
  const outcome = await killed(launched, reason)
  if (ms === undefined || cpuBefore === null || cpuNow === null) return outcome
  const [seconds, cpuSeconds] = [ms / 1000, Math.max(0, Math.round((cpuNow - cpuBefore) * 100) / 100)]
  return cpuSeconds < seconds * leastShare ? { kind: 'starved', cpuSeconds, seconds } : outcome
}

/** Two wall clocks: one that stops when the child says that the gate's part is over, and one for the whole. */
const clocksOf = (
  { timeoutMs, gateTimeoutMs }: VisitLimits,
  ring: (ending: Ending) => void,
): { readonly run: () => void; readonly rest: () => void; readonly gated: () => boolean } => {
  const whole = stopwatch(timeoutMs, () => ring({ reason: `it took longer than ${timeoutMs} ms`, ms: timeoutMs }))
  const gate = stopwatch(gateTimeoutMs, () => ring({ reason: `looking at it took longer than ${gateTimeoutMs} ms`, ms: gateTimeoutMs }))
  let isGated = false
  return {
    run: () => {
      whole.run()
      if (!isGated) gate.run()
    },
    rest: () => {
      whole.rest()
      gate.rest()
    },
    gated: () => {
      if (isGated) return false
      isGated = true
      gate.rest()
      return true
    },
  }
}
