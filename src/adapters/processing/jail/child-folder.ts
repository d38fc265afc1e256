import { constants, existsSync, linkSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmdirSync, rmSync } from 'node:fs'
import { copyFile, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { RindleError } from '../../../core/errors.ts'

/**
 * All that one child can see of the scratch folder. What it is to look at is brought into `input`, which a sandbox lets it read only; what it
 * makes lies in `output` and is taken from there. What it may write to is never a folder that this process follows a path through.
 */
export interface ChildFolder {
  readonly input: string
  readonly output: string
  /** Where the file lies for the child. @throws RindleError `decoder_unavailable`, or what the file system says of a full disk */
  bringIn(path: string): Promise<string>
  /** Moves what a child made to `destination`. @returns its size; null when it is no plain file of its own. */
  takeOut(name: string, destination: string): Promise<number | null>
  /** Removes whatever lies there. @returns whether it could be */
  empty(): boolean
  exists(): boolean
  /** Shows whoever clears leftovers away that it is still in use. */
  stamp(): void
  remove(): Promise<void>
}

const received = 'received'

/** @throws RindleError `decoder_unavailable` */
export const makeChildFolder = (scratchFolder: string): ChildFolder => {
  const folder = made(scratchFolder)
  const input = join(folder, 'in')
  const output = join(folder, 'out')
  mkdirSync(input)
  mkdirSync(output)
  return {
    input,
    output,
    bringIn: async (path) => {
      const place = join(input, received)
      await linkOrCopy(path, place)
      return place
    },
    takeOut: async (name, destination) => {
      const place = join(output, basename(name))
      const found = lstatSync(place, { throwIfNoEntry: false })
      if (!found?.isFile() || found.nlink !== 1) return null
      await moveOrCopy(place, destination)
      return found.size
    },
    empty: () => succeeds(() => [input, output].forEach(emptied)),
    exists: () => existsSync(output),
    stamp: () => void succeeds(() => rmdirSync(mkdtempSync(join(folder, 'now-')))),
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}

const emptied = (folder: string): void => {
  for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true, force: true })
}

const succeeds = (work: () => void): boolean => {
  try {
    work()
    return true
  } catch {
    return false
  }
}

const made = (scratchFolder: string): string => {
  try {
    return mkdtempSync(join(scratchFolder, 'rindle-decoder-'))
  } catch (err) {
    throw new RindleError(
      'decoder_unavailable',
      { problem: `no folder could be made for it in the scratch folder: ${codeOf(err)}` },
      { cause: err },
    )
  }
}

/** The same file under a second name: nothing to bring back, and it stays where it is should this process end. */
const linkOrCopy = async (from: string, to: string): Promise<void> => {
  try {
    linkSync(from, to)
  } catch (err) {
    if (codeOf(err) === 'ENOENT') throw unreadable(err)
    await copyFile(from, to, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL)
  }
}

const unreadable = (cause: unknown): RindleError =>
  new RindleError('decoder_unavailable', { problem: 'the file to look at is gone' }, { cause })

const moveOrCopy = async (from: string, to: string): Promise<void> => {
  try {
    renameSync(from, to)
  } catch (err) {
    if (codeOf(err) === 'ENOENT')
      throw new RindleError('decoder_unavailable', { problem: 'the folder for what it makes is gone' }, { cause: err })
    if (codeOf(err) !== 'EXDEV') throw err
    await copyFile(from, to, constants.COPYFILE_EXCL)
  }
}

const codeOf = (err: unknown): string => (err instanceof Error && 'code' in err ? String(err.code) : 'unknown')
