import { RindleError } from '../../../core/errors.ts'
import type { Logger } from '../../../core/ports/logger.ts'
import { startDecoder, type Decoder, type Outcome, type VisitLimits } from './decoder.ts'
import type { VisitRequest } from '../attend.ts'
import { confine, offerToKernel, type JailLimits } from './limits.ts'

export interface PoolOptions {
  /** How many children may work at the same time. */
  readonly concurrency: number
  readonly limits: JailLimits
  /** Path of the tool that limits a running process; null where there is none, and then memory is not limited. */
  readonly prlimit: string | null
  readonly logger: Logger
  /** A child ends after so many visits … */
  readonly visitsPerChild: number
  /** … or when it has grown to this much. */
  readonly maxResidentBytes: number
  readonly startTimeoutMs: number
}

export interface Pool {
  /** Waits for a child, gives it the visit, and puts it back or ends it. @throws RindleError `decoder_unavailable` */
  visit(visit: VisitRequest, limits: VisitLimits): Promise<Outcome>
  /** Starts what is missing. That it is closed meanwhile is no failure. @throws RindleError `decoder_unavailable` */
  warm(): Promise<void>
  close(): Promise<void>
}

export const withoutPrlimit = 'prlimit was not found: the memory of decoders is not limited; install util-linux'
const withoutSharp = 'decoders cannot open pictures, so they wait: npm install sharp, then start again'

interface Member {
  readonly decoder: Decoder
  visits: number
}

/** Warm children that are kept between visits. A visit waits its turn when all are busy. */
export const createPool = (options: PoolOptions): Pool => {
  const idle: Member[] = []
  const members = new Set<Decoder>()
  const turns = createTurns(options.concurrency)
  let closed = false
  let warned = false

  const warn = (problem: string | null): void => {
    if (options.prlimit === null) options.logger.warn({}, withoutPrlimit)
    if (problem !== null) options.logger.warn({ problem }, withoutSharp)
  }
  const start = async (): Promise<Member> => {
    const decoder = startDecoder()
    members.add(decoder)
    try {
      const problem = await decoder.ready(options.startTimeoutMs)
      if (!warned) warn(problem)
      warned = true
      await secure(decoder, options)
    } catch (err) {
      await end(decoder)
      throw err
    }
    return { decoder, visits: 0 }
  }
  const end = async (decoder: Decoder): Promise<void> => {
    await decoder.kill()
    members.delete(decoder)
  }
  const take = async (): Promise<Member> => {
    for (let member = idle.pop(); member; member = idle.pop()) {
      if (member.decoder.alive) return member
      members.delete(member.decoder)
    }
    return start()
  }
  const giveBack = async (member: Member, residentBytes: number): Promise<void> => {
    const worn = member.visits >= options.visitsPerChild || residentBytes > options.maxResidentBytes
    if (worn || closed || !member.decoder.alive) await end(member.decoder)
    else idle.push(member)
  }
  const refuseIfClosed = (): void => {
    if (closed) throw new RindleError('decoder_unavailable', { problem: 'the jail was closed' })
  }

  return {
    visit: async (visit, limits) => {
      const leave = await turns.enter(limits.signal)
      try {
        refuseIfClosed()
        const member = await take()
        if (limits.signal?.aborted) {
          await giveBack(member, 0)
          limits.signal.throwIfAborted()
        }
        member.visits += 1
        const outcome = await member.decoder.ask(visit, limits).catch(async (err: unknown) => {
          await end(member.decoder)
          throw err
        })
        await giveBack(member, outcome.kind === 'killed' ? 0 : outcome.residentBytes)
        if (outcome.kind === 'killed') refuseIfClosed()
        return outcome
      } finally {
        leave()
      }
    },
    warm: async () => {
      refuseIfClosed()
      const missing = Math.max(0, options.concurrency - members.size)
      try {
        idle.push(...(await Promise.all(Array.from({ length: missing }, start))))
      } catch (err) {
        if (!closed) throw err
      }
    },
    close: async () => {
      closed = true
      await Promise.all([...members].map(end))
      idle.length = 0
    },
  }
}

const secure = async (decoder: Decoder, { prlimit, limits, logger }: PoolOptions): Promise<void> => {
  await offerToKernel(decoder.pid).catch((err: unknown) => logger.debug({ err }, 'the decoder keeps its place in the kernel’s order'))
  if (prlimit === null) return
  await confine(decoder.pid, prlimit, limits).catch((cause: unknown) => {
    throw new RindleError('decoder_unavailable', { problem: 'its limits could not be set with prlimit' }, { cause })
  })
}

/** At most so many at a time, first come first served; who is told to stop while waiting leaves the line. */
const createTurns = (width: number): { enter(signal: AbortSignal | undefined): Promise<() => void> } => {
  const line: (() => void)[] = []
  let inside = 0
  const leave = (): void => {
    const next = line.shift()
    if (next) next()
    else inside -= 1
  }
  return {
    enter: async (signal) => {
      signal?.throwIfAborted()
      if (inside < width) {
        inside += 1
        return leave
      }
      const turn = Promise.withResolvers<void>()
      const stop = (): void => {
        const at = line.indexOf(turn.resolve)
        if (at >= 0) line.splice(at, 1)
        turn.reject(signal?.reason)
      }
      signal?.addEventListener('abort', stop, { once: true })
      line.push(turn.resolve)
      await turn.promise.finally(() => signal?.removeEventListener('abort', stop))
      return leave
    },
  }
}
