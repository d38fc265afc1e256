import { closeSync, constants, lstatSync, opendirSync, openSync, readFileSync, readlinkSync, readSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { pidsWithin } from './limits.ts'

/** Who is looked at: the child and all that it started. */
export interface Suspect {
  readonly pid: number
  /** Of a process table of its own, in which nothing of it hides; null where it has none. */
  readonly table: ProcessTable | null
  /** The folder that it may write to. */
  readonly output: string
}

/** A descriptor of it, so that whatever the child may put in its place later is not what is read. */
export interface ProcessTable {
  readonly path: string
  close(): void
}

/** The process table of a child that has a sandbox of its own. To be opened before the child has seen any file; null where nobody may look. */
export const openProcessTable = (pid: number): ProcessTable | null => {
  const descriptor = attempt(() => openSync(`/proc/${pid}/root/proc`, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NONBLOCK))
  if (descriptor === null) return null
  let isOpen = true
  return {
    get path() {
      return `/proc/self/fd/${isOpen ? descriptor : 'closed'}`
    },
    close() {
      if (isOpen) closeSync(descriptor)
      isOpen = false
    },
  }
}

/** What a child and all that it started may take together of what no limit of the kernel holds for all of them. */
export interface Allowance {
  /** Memory that no file stands behind: its own, and what it shares with others or with itself. */
  readonly memoryBytes: number
  readonly diskBytes: number
  readonly entries: number
}

/** So often a child is looked at while it is at work … */
const lookEveryMs = 250
/** … or less often, where it would take more than this part of the time: on machines of many processes a child without a sandbox is found slowly. */
const mostOfTime = 0.01

const mebibyte = 1024 * 1024
const mostProcesses = 64
const mostThreads = 1_024
const mostOpenFiles = 2_048
/** Of what a process has mapped, as the kernel lists it: ten times what a decoder has. */
const mostMapBytes = 2 * mebibyte

/** Looks again and again until the function that it returns is called. */
export const keepLooking = (look: () => void): (() => void) => {
  let timer: NodeJS.Timeout | undefined
  const wait = (ms: number): void => void (timer = setTimeout(again, ms))
  const again = (): void => {
    const began = performance.now()
    look()
    wait(Math.max(lookEveryMs, (performance.now() - began) / mostOfTime))
  }
  wait(lookEveryMs)
  return () => clearTimeout(timer)
}

/**
 * Says in words what a child has taken beyond its allowance; null when it has not, and where the kernel tells nothing. A limit on data does
 * not count memory that is shared, and counts each process alone; a limit on the size of files does not count files. Nothing of what libraries
 * and files read take counts here. Shared memory that is only held open counts as well.
 */
export const excessOf = (suspect: Suspect, allowed: Allowance): string | null => {
  const folder = folderOf(suspect.output, allowed.entries)
  if (folder.entries > allowed.entries) return `it made more than ${allowed.entries} files, or a folder`
  const taken = takenBy(suspect)
  if (taken === 'hidden') return 'it hid from being looked at, or holds memory or files by nothing but a mapping'
  if (taken === 'crowd')
    return `it started more than ${mostProcesses} processes or ${mostThreads} threads, or opened ${mostOpenFiles} files`
  const { memoryBytes, hiddenBytes } = taken
  if (memoryBytes > allowed.memoryBytes) return `it took ${inWords(memoryBytes)} of memory and may take ${inWords(allowed.memoryBytes)}`
  const diskBytes = folder.bytes + hiddenBytes
  return diskBytes > allowed.diskBytes ? `it wrote ${inWords(diskBytes)} and may write ${inWords(allowed.diskBytes)}` : null
}

const inWords = (bytes: number): string => `${Math.round(bytes / mebibyte)} MiB`

interface Folder {
  readonly bytes: number
  /** More than there may be as soon as it is one too many: the rest is not counted, and no folder is looked into. */
  readonly entries: number
}

const folderOf = (path: string, mostEntries: number): Folder => {
  let [bytes, entries] = [0, 0]
  attempt(() => {
    const opened = opendirSync(path)
    try {
      for (let entry = opened.readSync(); entry && entries <= mostEntries; entry = opened.readSync()) {
        entries += entry.isDirectory() ? mostEntries + 1 : 1
        bytes += attempt(() => lstatSync(join(path, entry.name)).blocks * blockBytes) ?? 0
      }
    } finally {
      opened.closeSync()
    }
  })
  return { bytes, entries }
}

interface Taken {
  readonly memoryBytes: number
  /** Of files in its folder that have no name any more, and are open still. */
  readonly hiddenBytes: number
}

const takenBy = ({ pid, table, output }: Suspect): Taken | 'crowd' | 'hidden' => {
  const processes =
    (table ? attempt(() => namesIn(table.path, mostProcesses, /^\d+$/).map((one) => `${table.path}/${one}`)) : null) ??
    pidsWithin(pid).map((one) => `/proc/${one}`)
  if (processes.length > mostProcesses) return 'crowd'
  const unnamed = new Map<string, { readonly bytes: number; readonly isHidden: boolean }>()
  let [memoryBytes, threads, files] = [0, 0, 0]
  for (const place of processes) {
    const open = attempt(() => namesIn(`${place}/fd`, mostOpenFiles - files))
    const isBare = open !== null && hasBareMapping(place, output)
    // Asked last: what comes to its end meanwhile may not be looked at either, and has no memory any more.
    const status = attempt(() => readFileSync(`${place}/status`, 'utf8')) ?? ''
    if ((open === null && status.includes('VmSize:')) || isBare) return 'hidden'
    memoryBytes += (numberIn(status, 'RssAnon') + numberIn(status, 'RssShmem')) * 1024
    threads += numberIn(status, 'Threads')
    files += open?.length ?? 0
    if (threads > mostThreads || files > mostOpenFiles) return 'crowd'
    for (const name of open ?? []) attempt(() => noteUnnamed(`${place}/fd/${name}`, output, unnamed))
  }
  let hiddenBytes = 0
  for (const { bytes, isHidden } of unnamed.values()) isHidden ? (hiddenBytes += bytes) : (memoryBytes += bytes)
  return { memoryBytes, hiddenBytes }
}

/** The names in a folder, of which one more than so many is enough. */
const namesIn = (path: string, most: number, pattern = /./): string[] => {
  const opened = opendirSync(path)
  try {
    const names: string[] = []
    for (let entry = opened.readSync(); entry && names.length <= most; entry = opened.readSync()) {
      if (pattern.test(entry.name)) names.push(entry.name)
    }
    return names
  } finally {
    opened.closeSync()
  }
}

/**
 * Whether memory without a file, or a file of its folder without a name, is mapped: no decoder does so, and once it is closed nobody is told
 * how large it is. So is whoever has mapped more than can be read.
 */
const hasBareMapping = (place: string, output: string): boolean => {
  const maps = attempt(() => beginningOf(`${place}/maps`, mostMapBytes))
  if (maps === null) return false
  if (maps.length >= mostMapBytes) return true
  return maps
    .split('\n')
    .some((line) => line.includes(' /memfd:') || (line.endsWith(' (deleted)') && line.includes(` ${join(output, '/')}`)))
}

/** A look is not interrupted, so one is enough. */
const scratch = Buffer.allocUnsafe(mostMapBytes)

const beginningOf = (path: string, most: number): string => {
  const descriptor = openSync(path, 'r')
  try {
    let [length, read] = [0, 1]
    while (length < most && read > 0) length += read = readSync(descriptor, scratch, length, most - length, null)
    return scratch.toString('latin1', 0, length)
  } finally {
    closeSync(descriptor)
  }
}

/** Each is counted once, however many hold it open. */
const noteUnnamed = (path: string, output: string, unnamed: Map<string, { bytes: number; isHidden: boolean }>): void => {
  const target = readlinkSync(path)
  const isHidden = target.startsWith(join(output, '/')) && target.endsWith(' (deleted)')
  if (!isHidden && !target.startsWith('/memfd:')) return
  const { dev, ino, blocks } = statSync(path)
  unnamed.set(`${dev} ${ino}`, { bytes: blocks * blockBytes, isHidden })
}

const numberIn = (status: string, name: string): number => Number(new RegExp(`^${name}:\\s*(\\d+)`, 'm').exec(status)?.[1] ?? 0)

/** What is gone by now takes nothing. */
const attempt = <T>(work: () => T): T | null => {
  try {
    return work()
  } catch {
    return null
  }
}

/** `blocks` are counted in these, whatever the file system's own are. */
const blockBytes = 512
