import { createHash } from 'node:crypto'
import { lstat, mkdir, open, realpath, rmdir } from 'node:fs/promises'
import { basename, dirname, join, sep } from 'node:path'
import { RindleError } from '../../../core/errors.ts'
import { problemOfKey, unfinishedPrefix } from '../../../core/object-key.ts'

/** Where the file of one key is, below a root that is no link itself. */
export interface Place {
  readonly root: string
  readonly path: string
  readonly parent: string
  /** The folder of its unfinished writes: made from its key, beside it, so that whoever knows the key finds what was left. */
  readonly unfinished: string
}

const folderMode = 0o700
/** How often making a folder is tried while others remove it as empty. */
const maxTries = 100

export const isMissing = (err: unknown): boolean => codeOf(err) === 'ENOENT' || codeOf(err) === 'ENOTDIR'
export const codeOf = (err: unknown): string | undefined => (err as NodeJS.ErrnoException | undefined)?.code

export const nullWhenMissing = (err: unknown): null => {
  if (isMissing(err)) return null
  throw err
}

export const linkRefused = (): RindleError => new RindleError('object_key_invalid', { problem: 'its path passes through a symbolic link' })
export const folderRefused = (): RindleError =>
  new RindleError('object_key_invalid', { problem: 'a folder stands where its file should, or a file where its folder should' })

/** The real path of the storage folder; null when there is none yet. */
export const findRoot = (directory: string): Promise<string | null> => realpath(directory).catch(nullWhenMissing)

/**
 * The place of `key`; null when its folder is not there, and so no object either.
 *
 * @throws RindleError `object_key_invalid` for a key that is none, and where a symbolic link would lead elsewhere.
 */
export const findPlace = async (directory: string, key: string): Promise<Place | null> => {
  refuseBadKey(key)
  const root = await findRoot(directory)
  if (root === null) return null
  const place = placeOf(root, key)
  return (await isRealFolder(place.parent)) ? place : null
}

/** The place of `key`, its folders made and added to `made`. One that others remove as empty meanwhile is made again. */
export const makePlace = async (directory: string, key: string, made: string[]): Promise<Place> => {
  refuseBadKey(key)
  for (let tries = 1; ; tries += 1) {
    try {
      const root = (await findRoot(directory)) ?? (await makeRoot(directory))
      const place = placeOf(root, key)
      if (!(await isRealFolder(place.parent))) await makeFolders(root, key, made)
      await makeFolder(place.unfinished, made)
      return place
    } catch (err) {
      if (codeOf(err) !== 'ENOENT' || tries >= maxTries) throw err
    }
  }
}

/** Removes `folder` and those above it, up to the root, as far as they are empty. @returns the first that stays. */
export const prune = async (root: string, folder: string): Promise<string> => {
  if (folder === root || !folder.startsWith(root + sep)) return root
  try {
    await rmdir(folder)
  } catch (err) {
    if (!isMissing(err)) return folder
  }
  return prune(root, dirname(folder))
}

/** Makes what was created in or removed from a folder survive a loss of power; if it is gone itself, in the one above it. */
export const syncFolder = async (root: string, folder: string): Promise<void> => {
  const handle = await open(folder, 'r').catch(nullWhenMissing)
  if (!handle) return folder === root ? undefined : syncFolder(root, dirname(folder))
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

const refuseBadKey = (key: string): void => {
  const problem = problemOfKey(key)
  if (problem) throw new RindleError('object_key_invalid', { problem })
}

const placeOf = (root: string, key: string): Place => {
  const path = join(root, ...key.split('/'))
  if (!path.startsWith(root === sep ? sep : root + sep))
    throw new RindleError('object_key_invalid', { problem: 'it leads out of the storage folder' })
  const parent = dirname(path)
  return { root, path, parent, unfinished: join(parent, unfinishedPrefix + fingerprint(basename(path))) }
}

/** Short enough for any file system, however long the name is. */
const fingerprint = (name: string): string => createHash('sha256').update(name).digest('hex').slice(0, 40)

const isRealFolder = async (folder: string): Promise<boolean> => {
  try {
    if ((await realpath(folder)) !== folder) throw linkRefused()
    return true
  } catch (err) {
    if (isMissing(err)) return false
    throw codeOf(err) === 'ELOOP' ? linkRefused() : err
  }
}

const makeRoot = async (directory: string): Promise<string> => {
  await mkdir(directory, { recursive: true, mode: folderMode })
  return realpath(directory)
}

/** One part after another, each looked at: making them all at once would follow a link and make folders where it leads. */
const makeFolders = async (root: string, key: string, made: string[]): Promise<void> => {
  let folder = root
  for (const part of key.split('/').slice(0, -1)) {
    folder = join(folder, part)
    await makeFolder(folder, made)
  }
}

const makeFolder = async (folder: string, made: string[]): Promise<void> => {
  try {
    await mkdir(folder, { mode: folderMode })
    made.push(folder)
  } catch (err) {
    if (codeOf(err) === 'ENOTDIR') throw folderRefused()
    if (codeOf(err) !== 'EEXIST') throw err
    const found = await lstat(folder)
    if (found.isSymbolicLink()) throw linkRefused()
    if (!found.isDirectory()) throw folderRefused()
  }
}
