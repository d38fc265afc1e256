import { spawn, type ChildProcess } from 'node:child_process'
import { Socket } from 'node:net'
import { constants } from 'node:os'
import { fileURLToPath } from 'node:url'
import { oneLine } from '../../../core/app-code.ts'
import type { ChildFolder } from './child-folder.ts'
import { childEnvironment } from './limits.ts'
import { replyDescriptor } from './protocol.ts'
import { pidDescriptor, type Sandbox } from './sandbox.ts'

/** A started process and what was put around it. */
export interface Launched {
  readonly child: ChildProcess
  readonly alive: boolean
  /** Of the child itself, as this machine counts: limits are set on it. Null when it did not get so far. */
  pid(): Promise<number | null>
  /** Ends it with all that it started: its group, and in a sandbox every process there. Settles when it is gone and reaped. */
  kill(): Promise<void>
  /** How it came to an end, in words. */
  end(): string
  /** The last line that it wrote to stderr before it was warm, cleaned; empty where there is none. Complete once it was killed. */
  lastLine(): string
  /** From now on nobody listens to its stderr: what looks at files has nothing to say there. */
  hush(): void
  /** Whether it keeps this process alive. */
  hold(busy: boolean): void
}

export const decoderEntry = (): string => import.meta.resolve('#decoder')

/** What Node.js is started with to be a decoder. */
export const decoderArguments = (): readonly string[] => {
  const entry = decoderEntry()
  const source = entry.endsWith('.ts') ? ['--conditions=rindle-source', '--disable-warning=ExperimentalWarning'] : []
  return [...source, '--max-old-space-size=256', '--expose-gc', fileURLToPath(entry)]
}

/** So long a sandbox may take to end by itself once the child in it was killed. */
const graceMs = 1_000
/** So long one that is gone may still have words under way. */
const wordsMs = 200
const mostCharacters = 2_048

/**
 * Starts a child with the listed environment and no way to reach this process but two pipes, and stderr until it is warm; when this process
 * dies, so does the child.
 */
export const launch = (sandbox: Sandbox | null, folder: ChildFolder, nodeArguments: readonly string[]): Launched => {
  const node = [process.execPath, ...nodeArguments]
  const [file = '', ...args] = sandbox === null ? node : [sandbox.program, ...sandbox.argumentsFor(folder), ...node]
  const stdio = ['pipe', 'ignore', 'pipe', 'pipe', ...(sandbox === null ? [] : ['pipe' as const])] as const
  const child = spawn(file, args, { cwd: '/', env: { ...childEnvironment }, detached: true, stdio: [...stdio] })
  const gone = new Promise<void>((resolve) => {
    child.once('error', () => resolve())
    child.once('exit', () => resolve())
  })
  const words = wordsOf(child)
  const alive = (): boolean => child.pid !== undefined && child.exitCode === null && child.signalCode === null
  let inside: number | null = null
  const pid = sandbox === null ? Promise.resolve(child.pid ?? null) : pidInside(child).then((found) => (inside = found))
  const hold = (busy: boolean): void => setHold(child, busy)
  return {
    get alive() {
      return alive()
    },
    child,
    pid: () => pid,
    kill: async () => {
      hold(true)
      if (child.pid !== undefined && alive()) await endProcesses(child.pid, inside, gone)
      await gone
      await words.settled()
      for (const pipe of [child.stdin, child.stdio[replyDescriptor]]) if (pipe instanceof Socket) pipe.destroy()
    },
    end: () => endOf(child, sandbox !== null),
    lastLine: words.last,
    hush: words.hush,
    hold,
  }
}

/** In a sandbox the first process takes all others with it, and who waits for it outside is to reap it: so that is ended last. */
const endProcesses = async (outer: number, inside: number | null, gone: Promise<void>): Promise<void> => {
  if (inside !== null) {
    signal(inside)
    const late = Promise.withResolvers<void>()
    const timer = setTimeout(late.resolve, graceMs)
    await Promise.race([gone, late.promise])
    clearTimeout(timer)
  }
  signal(-outer)
}

const signal = (pid: number): void => {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It is gone already.
  }
}

const pidInside = (child: ChildProcess): Promise<number | null> =>
  new Promise((resolve) => {
    const pipe = child.stdio[pidDescriptor]
    if (!(pipe instanceof Socket)) return resolve(null)
    let said = ''
    pipe
      .unref()
      .setEncoding('utf8')
      .on('data', (chunk: string) => (said = (said + chunk).slice(0, 4_096)))
      .on('error', () => resolve(null))
      .on('close', () => resolve(Number(/"child-pid":\s*(\d+)/.exec(said)?.[1] ?? 0) || null))
  })

interface Words {
  last(): string
  /** Waits for the end of what is under way, if anybody still listens. */
  settled(): Promise<void>
  hush(): void
}

/** Of stderr the end is kept. What outlives a child may hold it open, so it is not waited for longer than a moment. */
const wordsOf = ({ stderr }: ChildProcess): Words => {
  let said = ''
  const ended = Promise.withResolvers<void>()
  stderr
    ?.setEncoding('utf8')
    .on('data', (chunk: string) => (said = (said + chunk).slice(-mostCharacters)))
    .on('error', () => undefined)
    .once('close', () => ended.resolve())
  if (stderr instanceof Socket) stderr.unref()
  const hush = (): void => void stderr?.destroy()
  return {
    last: () => oneLine(said.trim().split('\n').at(-1) ?? ''),
    settled: async () => {
      if (stderr && !stderr.destroyed) {
        const timer = setTimeout(ended.resolve, wordsMs)
        await ended.promise
        clearTimeout(timer)
      }
      hush()
    },
    hush,
  }
}

const signalNames = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]))

const endOf = (child: ChildProcess, inSandbox: boolean): string => {
  const name = child.signalCode ?? (inSandbox ? signalNames.get((child.exitCode ?? 0) - 128) : undefined)
  if (name) return `it ended by ${name}`
  return child.exitCode === null ? 'it answered nonsense' : `it ended with status ${child.exitCode}`
}

/** Not for one that ended: a pipe without a handle would remember each time in a listener. */
const setHold = (child: ChildProcess, busy: boolean): void => {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  if (busy) child.ref()
  else child.unref()
  for (const pipe of [child.stdin, child.stdio[replyDescriptor]])
    if (pipe instanceof Socket && !pipe.destroyed) busy ? pipe.ref() : pipe.unref()
}
