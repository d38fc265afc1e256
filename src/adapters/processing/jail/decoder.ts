import { spawn, type ChildProcess } from 'node:child_process'
import { Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { RindleError } from '../../../core/errors.ts'
import type { VisitRequest } from '../attend.ts'
import { childEnvironment } from './limits.ts'
import { lineReader, mostAsks, replyDescriptor, type Reply, type Request } from './protocol.ts'
import { replyFrom } from './reply.ts'

/** What a visit got: the child's own words, or how it came to an end. */
export type Outcome = Exclude<Reply, { kind: 'warm' | 'ask' }> | { readonly kind: 'killed'; readonly reason: string }

export interface VisitLimits {
  /** For the child alone: what `read` takes does not count. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
  /** Brings what a visit to an excerpt needs of the whole. */
  readonly read?: ((start: number, end: number) => Promise<Uint8Array>) | undefined
}

/** One child process. It serves one visit at a time. */
export interface Decoder {
  readonly pid: number
  readonly alive: boolean
  /** Waits for the child to say that it is warm. @returns why it cannot open pictures, or null. @throws RindleError `decoder_unavailable` */
  ready(timeoutMs: number): Promise<string | null>
  /**
   * Out of time, or aborted: the child is killed, gone and reaped before this settles. When what it asks for cannot be read, it is killed and
   * the reason thrown.
   */
  ask(visit: VisitRequest, limits: VisitLimits): Promise<Outcome>
  /** Kills the child's whole group; settles when it is gone. */
  kill(): Promise<void>
}

const startArguments = (): string[] => {
  const entry = import.meta.resolve('#decoder')
  const source = entry.endsWith('.ts') ? ['--conditions=rindle-source', '--disable-warning=ExperimentalWarning'] : []
  return [...source, '--max-old-space-size=256', '--expose-gc', fileURLToPath(entry)]
}

/** Starts a child with the listed environment and no way to reach the parent but two pipes; when the parent dies, so does the child. */
export const startDecoder = (): Decoder => {
  const child = spawn(process.execPath, startArguments(), {
    cwd: '/',
    env: { ...childEnvironment },
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore', 'pipe'],
  })
  const inbox = replyInbox(child)
  const gone = new Promise<void>((resolve) => {
    child.once('error', () => resolve())
    child.once('close', () => resolve())
  })
  const alive = (): boolean => child.pid !== undefined && child.exitCode === null && child.signalCode === null
  const kill = async (): Promise<void> => {
    if (child.pid !== undefined && alive()) killGroup(child.pid)
    hold(child, true)
    await gone
  }
  const say = (request: Request): void => void child.stdin?.write(`${JSON.stringify(request)}\n`)
  const ask: Decoder['ask'] = async (visit, { timeoutMs, signal, read }) => {
    hold(child, true)
    const ended = Promise.withResolvers<string>()
    const time = stopwatch(timeoutMs, () => ended.resolve(`it took longer than ${timeoutMs} ms`))
    const abort = (): void => ended.resolve('it was told to stop')
    signal?.addEventListener('abort', abort, { once: true })
    try {
      say({ visit })
      time.run()
      for (let asks = 0; ; asks += 1) {
        const said = await Promise.race([inbox.next(), ended.promise])
        if (typeof said === 'string' || said === null || said.kind === 'warm' || (said.kind === 'ask' && !mayAsk(visit, said.end, asks))) {
          await kill()
          return { kind: 'killed', reason: typeof said === 'string' ? said : endOf(child) }
        }
        if (said.kind !== 'ask') return said
        time.rest()
        const bytes = await Promise.race([read?.(said.start, said.end), ended.promise])
        time.run()
        if (bytes instanceof Uint8Array) say({ bytes: Buffer.from(bytes).toString('base64') })
      }
    } catch (err) {
      await kill()
      throw err
    } finally {
      time.rest()
      signal?.removeEventListener('abort', abort)
      hold(child, false)
    }
  }
  return {
    get alive() {
      return alive()
    },
    pid: child.pid ?? 0,
    ready: (timeoutMs) => warm(child, inbox, kill, timeoutMs),
    ask,
    kill,
  }
}

/** Rings once it has run for so long altogether. */
const stopwatch = (ms: number, ring: () => void): { run(): void; rest(): void } => {
  let leftMs = ms
  let startedMs = 0
  let timer: NodeJS.Timeout | undefined
  return {
    run: () => {
      startedMs = performance.now()
      timer = setTimeout(ring, leftMs)
    },
    rest: () => {
      clearTimeout(timer)
      leftMs -= performance.now() - startedMs
    },
  }
}

const mayAsk = ({ excerpt }: VisitRequest, end: number, asks: number): boolean =>
  excerpt !== undefined && end <= excerpt.sizeBytes && asks < mostAsks

const warm = async (child: ChildProcess, inbox: Inbox, kill: () => Promise<void>, timeoutMs: number): Promise<string | null> => {
  const late = Promise.withResolvers<null>()
  const timer = setTimeout(() => late.resolve(null), timeoutMs)
  const first = await Promise.race([inbox.next(), late.promise])
  clearTimeout(timer)
  hold(child, false)
  if (first?.kind === 'warm') return first.problem
  const problem =
    child.pid === undefined
      ? 'the process could not be started'
      : child.signalCode || child.exitCode !== null
        ? endOf(child)
        : `it was not warm after ${timeoutMs} ms`
  await kill()
  throw new RindleError('decoder_unavailable', { problem })
}

interface Inbox {
  /** The next reply, or null when the child has ended. */
  next(): Promise<Reply | null>
}

const longestReply = 1024 * 1024

/** A child is not trusted to write sense: what is no reply counts as its end, and one that speaks unasked is ended. */
const replyInbox = (child: ChildProcess): Inbox => {
  let ended = false
  let waiting: ((reply: Reply | null) => void) | null = null
  const deliver = (reply: Reply | null): void => {
    if (reply === null) ended = true
    waiting?.(reply)
    waiting = null
  }
  const expel = (): void => {
    if (child.pid !== undefined) killGroup(child.pid)
    deliver(null)
  }
  const read = lineReader(longestReply, (line) => (waiting ? deliver(replyFrom(line)) : expel()), expel)
  const pipe = child.stdio[replyDescriptor]
  if (pipe instanceof Socket)
    pipe
      .setEncoding('utf8')
      .on('data', (chunk: string) => read(chunk))
      .on('error', () => deliver(null))
  child.stdin?.on('error', () => deliver(null))
  child.once('error', () => deliver(null))
  child.once('close', () => deliver(null))
  return {
    next: () =>
      new Promise((resolve) => {
        if (ended) resolve(null)
        else waiting = resolve
      }),
  }
}

const endOf = (child: ChildProcess): string =>
  child.signalCode
    ? `it ended by ${child.signalCode}`
    : child.exitCode === null
      ? 'it answered nonsense'
      : `it ended with status ${child.exitCode}`

const killGroup = (pid: number): void => {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // The group is gone already.
  }
}

/** An idle child does not keep the parent's process alive; a busy one does. */
const hold = (child: ChildProcess, busy: boolean): void => {
  const parts = [child, child.stdin, child.stdio[replyDescriptor]]
  for (const part of parts) {
    if (part === child) busy ? child.ref() : child.unref()
    else if (part instanceof Socket) busy ? part.ref() : part.unref()
  }
}
