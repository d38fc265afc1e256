import { readFileSync, writeFileSync } from 'node:fs'
import { descendants } from '../harness.ts'

/** What the decoders of a process held at most, in bytes, and what they were allowed when they did. */
export interface Peak {
  residentBytes: number
  /** Of the one that held the most; Infinity when nothing limits it. */
  limitBytes: number
}

const lookEveryMs = 10
const searchEveryMs = 60

/** Looks at all that `root` has started, over and over, until it is told to stop: what a killed child held is known from before its end. */
export const watchPeaks = (root: number): { stop(): Peak } => {
  const peak: Peak = { residentBytes: 0, limitBytes: Infinity }
  let pids = descendants(root)
  for (const pid of pids) forget(pid)
  const look = (): void => {
    for (const pid of pids) {
      const residentBytes = peakOf(pid)
      if (residentBytes > peak.residentBytes) Object.assign(peak, { residentBytes, limitBytes: dataLimitOf(pid) })
    }
  }
  const searching = setInterval(() => (pids = descendants(root)), searchEveryMs)
  const looking = setInterval(look, lookEveryMs)
  return {
    stop: () => {
      look()
      clearInterval(searching)
      clearInterval(looking)
      return peak
    },
  }
}

/** The limit of data of those that are alive now. */
export const dataLimitsOf = (root: number): number[] => descendants(root).map(dataLimitOf).filter(Number.isFinite)

/** Has the kernel count a process's peak anew. Where it may not, peaks add up, which only makes the judgement harder. */
const forget = (pid: number): void => {
  try {
    writeFileSync(`/proc/${pid}/clear_refs`, '5')
  } catch {
    // Gone, or of another user.
  }
}

const peakOf = (pid: number): number => Number(/^VmHWM:\s+(\d+) kB/m.exec(read(pid, 'status'))?.[1] ?? 0) * 1024
const dataLimitOf = (pid: number): number => Number(/^Max data size\s+(\d+)/m.exec(read(pid, 'limits'))?.[1] ?? Infinity)

const read = (pid: number, file: string): string => {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return ''
  }
}
