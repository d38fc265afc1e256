import { createHash } from 'node:crypto'
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  opendirSync,
  openSync,
  read,
  readSync,
  rmdirSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { copyFile, open } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { RindleError } from '../../../core/errors.ts'
import type { Logger } from '../../../core/ports/logger.ts'
import { removeTree } from './remove-tree.ts'

/** What is taken out of a child's folder: a file of exactly this size, which is no more than it may have. */
interface Taking {
  readonly destination: string
  readonly byteSize: number
  readonly mostBytes: number
  /** Whether the copy is hashed while it is made. */
  readonly hashed: boolean
}

/**
 * All that one child can see of the scratch folder. What it is to look at is brought into `input`, which a sandbox lets it read only; what it
 * makes lies in `output` and is taken from there. What it may write to is never a folder that this process follows a path through.
 */
export interface ChildFolder {
  readonly input: string
  readonly output: string
  /** Where the file lies for the child. @throws RindleError `decoder_unavailable`, or what the file system says of a full disk */
  bringIn(path: string): Promise<string>
  /**
   * Copies what a child made to `destination`, a new file that the child has never opened: it may live on and write to its own.
   *
   * @returns the SHA-256 of the copy, empty unless it was asked for; null when there is no plain file of that size.
   */
  takeOut(name: string, taking: Taking): Promise<string | null>
  /** Removes the few files that lie there. @returns false when there is more, or a folder: then all of it is to be removed, without haste. */
  empty(): boolean
  exists(): boolean
  /** Shows whoever clears leftovers away that it is still in use. */
  stamp(): void
  /** Never throws: what cannot be removed is logged, and left to whoever clears leftovers away. */
  remove(): Promise<void>
}

const received = 'received'
const mostLeft = 64
/** Up to this size a copy takes one reading and one writing, and less time than asking the thread pool for it. */
const smallBytes = 256 * 1024
const chunkBytes = 1024 * 1024
/** No link is followed, and no pipe waited for. */
const plainRead = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

/**
 * `isApart`: a sandbox stands, in which what is brought in cannot be written to. Without one the child runs as the same user as this process,
 * and gets a copy of its own.
 *
 * @throws RindleError `decoder_unavailable`
 */
export const makeChildFolder = (
  scratchFolder: string,
  { isApart = true, logger }: { readonly isApart?: boolean; readonly logger?: Logger } = {},
): ChildFolder => {
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
      await (isApart ? linkOrCopy(path, place) : copy(path, place))
      return place
    },
    takeOut: async (name, taking) => {
      const place = join(output, basename(name))
      const digest = taking.byteSize > taking.mostBytes ? null : await copied(place, taking)
      if (digest !== null) succeeds(() => unlinkSync(place))
      return digest
    },
    empty: () => [input, output].every(emptied),
    exists: () => existsSync(output),
    stamp: () => void succeeds(() => rmdirSync(mkdtempSync(join(folder, 'now-')))),
    remove: () => removeTree(folder, logger),
  }
}

const emptied = (folder: string): boolean => {
  let isFew = false
  const isDone = succeeds(() => {
    const paths = fewIn(folder)
    isFew = paths !== null
    paths?.forEach((path) => unlinkSync(path))
  })
  return isDone && isFew
}

/** Null when there is more than a few files, or a folder. */
const fewIn = (folder: string): string[] | null => {
  const opened = opendirSync(folder, { bufferSize: 16 })
  try {
    const paths: string[] = []
    for (let entry = opened.readSync(); entry; entry = opened.readSync()) {
      if (entry.isDirectory() || paths.length >= mostLeft) return null
      paths.push(join(folder, entry.name))
    }
    return paths
  } finally {
    opened.closeSync()
  }
}

const copied = async (place: string, taking: Taking): Promise<string | null> => {
  const file = opened(place)
  if (file === null) return null
  try {
    const found = fstatSync(file)
    if (!found.isFile() || found.nlink !== 1 || found.size !== taking.byteSize) return null
    if (taking.byteSize <= smallBytes) return copySmall(file, taking)
    return await copyLarge(file, taking)
  } catch (err) {
    if (codeOf(err) === 'ENOENT')
      throw new RindleError('decoder_unavailable', { problem: 'the folder for what it makes is gone' }, { cause: err })
    throw err
  } finally {
    closeSync(file)
  }
}

/** What a child can make of a name on purpose; anything else is this machine's trouble. */
const unopenable = new Set(['ENOENT', 'ELOOP', 'EACCES', 'EPERM', 'ENOTDIR', 'ENXIO', 'EISDIR', 'ENAMETOOLONG', 'ERR_INVALID_ARG_VALUE'])

const opened = (place: string): number | null => {
  try {
    return openSync(place, plainRead)
  } catch (err) {
    if (unopenable.has(codeOf(err))) return null
    throw err
  }
}

const readAt = promisify(read)

const copySmall = (file: number, { destination, byteSize, hashed }: Taking): string | null => {
  const bytes = Buffer.allocUnsafe(byteSize)
  if (readSync(file, bytes, 0, byteSize, 0) !== byteSize) return null
  writeFileSync(destination, bytes, { flag: 'wx', mode: 0o600 })
  return hashed ? createHash('sha256').update(bytes).digest('hex') : ''
}

/** In pieces, also where it is gigabytes: to end the child and move its file would save the copy, but not from a process that left its group. */
const copyLarge = async (from: number, { destination, byteSize, hashed }: Taking): Promise<string | null> => {
  await using target = await open(destination, 'wx', 0o600)
  const hash = createHash('sha256')
  const piece = Buffer.allocUnsafe(Math.min(chunkBytes, byteSize))
  for (let at = 0; at < byteSize;) {
    const wanted = Math.min(piece.byteLength, byteSize - at)
    const { bytesRead } = await readAt(from, piece, 0, wanted, at)
    if (bytesRead === 0) return null
    const read = piece.subarray(0, bytesRead)
    if (hashed) hash.update(read)
    for (let done = 0; done < bytesRead;) done += (await target.write(read, done, bytesRead - done, at + done)).bytesWritten
    at += bytesRead
  }
  return hashed ? hash.digest('hex') : ''
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
    await copy(from, to)
  }
}

/** Shares its blocks where the file system can. */
const copy = (from: string, to: string): Promise<void> =>
  copyFile(from, to, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL).catch((err: unknown) => {
    throw codeOf(err) === 'ENOENT' ? unreadable(err) : err
  })

const unreadable = (cause: unknown): RindleError =>
  new RindleError('decoder_unavailable', { problem: 'the file to look at is gone' }, { cause })

const codeOf = (err: unknown): string => (err instanceof Error && 'code' in err ? String(err.code) : 'unknown')
