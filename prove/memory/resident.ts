import { readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'

/** Lets this process come to rest, and forgets its peak so far. @returns the memory that it holds now, in bytes. */
export const comeToRest = async (): Promise<number> => {
  await pause(500)
  globalThis.gc?.()
  const idleBytes = statusBytes('VmRSS')
  writeFileSync('/proc/self/clear_refs', '5')
  return idleBytes
}

/** The most this process has held since it came to rest, in bytes. */
export const peakSinceRest = (): number => statusBytes('VmHWM')

const statusBytes = (name: 'VmRSS' | 'VmHWM'): number => {
  const line = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(readFileSync('/proc/self/status', 'utf8'))
  return Number(line?.[1] ?? Number.NaN) * 1024
}
