import { lstatSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { descendants } from '../harness.ts'
import { breachesOfLaw } from '../../test/services/ffmpeg-law.ts'

/** What all that this process has started, but databases, held together at most. */
export interface Held {
  readonly residentBytes: number
  /** In the scratch folder. */
  readonly diskBytes: number
  /** How often an ffmpeg or ffprobe was seen at work. */
  readonly programs: number
  /** What was wrong with how one of them was called. */
  readonly lawless: readonly string[]
}

const lookEveryMs = 50

/** Looks over and over, until it is told to stop. */
export const watch = (scratch: string): { stop(): Held } => {
  let [residentBytes, diskBytes, programs] = [0, 0, 0]
  const lawless = new Set<string>()
  const look = (): void => {
    let resident = 0
    for (const pid of descendants()) {
      const command = read(pid, 'cmdline').split('\0').slice(0, -1)
      const name = basename(command[0] ?? '')
      if (name.startsWith('postgres')) continue
      resident += Number(/^RssAnon:\s+(\d+) kB/m.exec(read(pid, 'status'))?.[1] ?? 0) * 1024
      if (name !== 'ffmpeg' && name !== 'ffprobe') continue
      programs += 1
      for (const breach of [
        ...breachesOfLaw(name, command.slice(1)),
        ...(command.some((one) => one.includes(scratch)) ? unlimited(pid) : []),
      ])
        lawless.add(`${name}: ${breach}`)
    }
    residentBytes = Math.max(residentBytes, resident)
    diskBytes = Math.max(diskBytes, bytesBelow(scratch))
  }
  const looking = setInterval(look, lookEveryMs)
  return {
    stop: () => {
      look()
      clearInterval(looking)
      return { residentBytes, diskBytes, programs, lawless: [...lawless] }
    },
  }
}

/** Which of the limits that a child hands down a program goes without. */
const unlimited = (pid: number): string[] => {
  const limits = read(pid, 'limits')
  return ['data size', 'cpu time', 'file size', 'open files'].flatMap((name) =>
    new RegExp(`^Max ${name}\\s+unlimited`, 'm').test(limits) ? [`no limit of ${name}`] : [],
  )
}

/** Programs of ours that are still there. */
export const programsLeft = (): string[] =>
  descendants().flatMap((pid) => {
    const name = basename(read(pid, 'cmdline').split('\0')[0] ?? '')
    return name === 'ffmpeg' || name === 'ffprobe' || name === 'setpriv' ? [`${name} ${pid}`] : []
  })

const bytesBelow = (folder: string): number => {
  try {
    return readdirSync(folder, { recursive: true })
      .map((name) => lstatSync(join(folder, String(name)), { throwIfNoEntry: false })?.blocks ?? 0)
      .reduce((sum, blocks) => sum + blocks * 512, 0)
  } catch {
    return 0
  }
}

const read = (pid: number, file: string): string => {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return ''
  }
}
