import { readdirSync, readFileSync } from 'node:fs'

/** What the kernel tells of one process. Times in milliseconds of CPU, in steps of 10 ms. */
type ProcessEntry = { pid: number; parent: number; cpuMs: number }

/** Ticks per second of the times in /proc; 100 on every Linux that Node.js runs on. */
const ticksPerSecond = 100

/**
 * User and system time of this process, of its living descendants, and of all that any of them has reaped, in milliseconds.
 * The difference of two readings is the CPU that everything between them has cost, child processes included.
 * Linux only; a child that detached itself and whose parent died is not seen.
 */
export function cpuMsOfTree(root: number = process.pid): number {
  return tree(root).reduce((sum, entry) => sum + entry.cpuMs, 0)
}

/** The living descendants of `root`, without itself. */
export function descendants(root: number = process.pid): number[] {
  return tree(root)
    .map((entry) => entry.pid)
    .filter((pid) => pid !== root)
}

/** Memory of a process that is in RAM now, in bytes; 0 when the process is gone. */
export function residentBytes(pid: number = process.pid): number {
  return statusKilobytes(pid, 'VmRSS') * 1024
}

/** The most memory a process has ever had in RAM, in bytes; 0 when the process is gone. */
export function peakResidentBytes(pid: number = process.pid): number {
  return statusKilobytes(pid, 'VmHWM') * 1024
}

/** True while a process with this id lives, zombies excepted. */
export function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

function tree(root: number): ProcessEntry[] {
  const entries = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => readEntry(Number(name)))
    .filter((entry) => entry !== null)
  const found = entries.filter((entry) => entry.pid === root)
  for (let index = 0; index < found.length; index++) {
    found.push(...entries.filter((entry) => entry.parent === found[index]!.pid))
  }
  return found
}

function readEntry(pid: number): ProcessEntry | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const ticks = [11, 12, 13, 14].reduce((sum, index) => sum + Number(fields[index]), 0)
    return { pid, parent: Number(fields[1]), cpuMs: (ticks * 1000) / ticksPerSecond }
  } catch {
    return null
  }
}

function statusKilobytes(pid: number, field: string): number {
  try {
    const match = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
    return match ? Number(match[1]) : 0
  } catch {
    return 0
  }
}
