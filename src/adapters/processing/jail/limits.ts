import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { RindleError } from '../../../core/errors.ts'

const run = promisify(execFile)
const mebibyte = 1024 * 1024

export interface JailLimits {
  /** What the decode of one file may need on top of a warm child. */
  readonly maxDecodeBytes: number
  /** The CPU time of a child's whole life; the kernel ends it there. */
  readonly cpuSeconds: number
  /** The largest file a child may write. */
  readonly maxFileBytes: number
}

interface Confining extends JailLimits {
  /** Path of the tool that limits a running process; null where there is none, and then nothing is limited. */
  readonly prlimit: string | null
  /** The child's user is counted apart from the same user outside, so that its processes can be limited without counting ours. */
  readonly isCountedApart: boolean
}

/** The whole environment of a child; nothing of ours is inherited. */
export const childEnvironment = {
  LANG: 'C.UTF-8',
  MALLOC_ARENA_MAX: '1',
  UV_THREADPOOL_SIZE: '4',
  VIPS_BLOCK_UNTRUSTED: '1',
} as const

/** For what grows in a warm child whatever it decodes: its heap, threads, what an allocator keeps. */
const spareBytes = 128 * mebibyte
/** Needs are granted in classes, powers of two from here on: every change of the limit is a process that has to be started. */
const smallestClassBytes = 64 * mebibyte
const mostOpenFiles = 256
/** Threads are counted as well: a decoder has 14 when it is warm, and libraries start some for every core. */
const mostTasks = 1_024

/** The class that a need belongs to: what is granted for it. */
const classOf = (bytes: number, maxDecodeBytes: number): number =>
  Math.min(maxDecodeBytes, 2 ** Math.ceil(Math.log2(Math.max(bytes, smallestClassBytes))))

/** The limits of one child, held from outside. */
export interface Confinement {
  /** What the soft limit of memory is, or would be where none can be set. */
  readonly dataBytes: number
  /** Moves the soft limit of memory to what `bytes` on top of a warm child take. @throws RindleError `decoder_unavailable` */
  grant(bytes: number): Promise<void>
  /** Moves it back to the least there is, without being waited for: what is granted next is granted after it. */
  retract(): void
}

/**
 * Limits a warm child: Node itself does not start under a tight data limit. The hard limit of memory is that of the largest decode; until a
 * need is known the soft one is that of the smallest.
 *
 * @throws RindleError `decoder_unavailable`
 */
export const confine = async (pid: number, limits: Confining): Promise<Confinement> => {
  const { prlimit } = limits
  const set = async (settings: readonly string[]): Promise<void> => {
    if (prlimit === null) return
    await run(prlimit, ['--pid', String(pid), ...settings], { env: {}, timeout: 10_000 }).catch((cause: unknown) => {
      throw new RindleError('decoder_unavailable', { problem: 'its limits could not be set with prlimit' }, { cause })
    })
  }
  const { maxDecodeBytes, cpuSeconds, maxFileBytes } = limits
  const baseBytes = (usageOf(pid)?.dataBytes ?? 0) + spareBytes
  const hardBytes = baseBytes + maxDecodeBytes
  const both = (name: string, value: number): string => `--${name}=${value}:${value}`
  const life = [both('core', 0), both('fsize', maxFileBytes), both('nofile', mostOpenFiles), both('cpu', cpuSeconds)]
  const least = classOf(0, maxDecodeBytes)
  const dataFor = (granted: number): string => `--data=${baseBytes + granted}:${hardBytes}`
  const tasks = limits.isCountedApart ? [both('nproc', mostTasks)] : []
  await set([...life, ...tasks, dataFor(least)])
  let granted: number | null = least
  const move = async (wanted: number): Promise<void> => {
    if (wanted === granted) return
    granted = null
    await set([dataFor(wanted)])
    granted = wanted
  }
  let moving = Promise.resolve()
  let wantedLast = least
  const want = (wanted: number): Promise<void> => {
    wantedLast = wanted
    moving = moving.catch(() => undefined).then(() => move(wanted))
    return moving
  }
  return {
    get dataBytes() {
      return baseBytes + wantedLast
    },
    grant: (bytes) => want(classOf(bytes, maxDecodeBytes)),
    retract: () => void want(least).catch(() => undefined),
  }
}

/** When memory runs out, the kernel takes children before anything else. @returns whether it could be said */
export const offerToKernel = (pid: number): Promise<boolean> =>
  writeFile(`/proc/${pid}/oom_score_adj`, '1000').then(
    () => true,
    () => false,
  )

export interface Usage {
  readonly dataBytes: number
  readonly residentBytes: number
  readonly cpuSeconds: number
}

/** What a process takes by the kernel's own account; null where that does not say. Reading it is no disk's business and takes no trip. */
export const usageOf = (pid: number): Usage | null => {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    const bytesOf = (name: string): number => Number(new RegExp(`^${name}:\\s*(\\d+) kB$`, 'm').exec(status)?.[1] ?? 0) * 1024
    return { dataBytes: bytesOf('VmData'), residentBytes: bytesOf('VmRSS'), cpuSeconds: accountOf(pid).cpuSeconds }
  } catch {
    return null
  }
}

interface Account {
  readonly parent: number
  readonly group: number
  readonly session: number
  readonly cpuSeconds: number
  /** Of what it started and waited for. */
  readonly reapedSeconds: number
}

const accountOf = (pid: number): Account => {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const secondsAt = (at: number): number => (Number(fields[at]) + Number(fields[at + 1])) / ticksPerSecond
  const [parent = 0, group = 0, session = 0] = fields.slice(1, 4).map(Number)
  return { parent, group, session, cpuSeconds: secondsAt(11), reapedSeconds: secondsAt(13) }
}

/** The CPU time that a process with nothing running below it has used so far, and what it started before; null where the kernel does not say. */
export const cpuSecondsAtRest = (pid: number): number | null => {
  try {
    const { cpuSeconds, reapedSeconds } = accountOf(pid)
    return cpuSeconds + reapedSeconds
  } catch {
    return null
  }
}

/** The CPU time that a process and all that it started has used so far; null where the kernel does not say. */
export const cpuSecondsWithin = (pid: number): number | null => {
  const accounts = accountsWithin(pid)
  if (!accounts.has(pid)) return null
  let sum = 0
  for (const { cpuSeconds, reapedSeconds } of accounts.values()) sum += cpuSeconds + reapedSeconds
  return sum
}

/** A process and all that it started, also what lost its parent but is of its group or session still; empty where the kernel does not say. */
export const pidsWithin = (pid: number): number[] => [...accountsWithin(pid).keys()]

const accountsWithin = (pid: number): Map<number, Account> => {
  const all = new Map<number, Account>()
  try {
    for (const name of readdirSync('/proc')) if (/^\d+$/.test(name)) addAccount(all, Number(name))
  } catch {
    return new Map()
  }
  const isWithin = (one: number): boolean => {
    for (let at: number | undefined = one; at; at = all.get(at)?.parent) if (at === pid || isOf(all.get(at))) return true
    return false
  }
  const isOf = (account: Account | undefined): boolean => account?.group === pid || account?.session === pid
  return new Map([...all].filter(([one]) => isWithin(one)))
}

const addAccount = (accounts: Map<number, Account>, pid: number): void => {
  try {
    accounts.set(pid, accountOf(pid))
  } catch {
    // It ended while the others were looked at.
  }
}

/** False for one that ended, although whoever waits for it may not know yet; true where the kernel does not say. */
export const isRunning = (pid: number): boolean => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2))
  } catch {
    return !existsSync('/proc/self/stat')
  }
}

/** Linux tells times in these whatever its own clock does. */
const ticksPerSecond = 100
