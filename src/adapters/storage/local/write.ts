import { type BigIntStats, constants } from 'node:fs'
import { copyFile, type FileHandle, link, lstat, open, rm, rmdir, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { RindleError } from '../../../core/errors.ts'
import type { ObjectHead } from '../../../core/ports/storage.ts'
import { codeOf, folderRefused, linkRefused, makePlace, nullWhenMissing, type Place, prune, syncFolder } from './paths.ts'

const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW, COPYFILE_FICLONE } = constants
const fileMode = 0o600
/** So many writes of one key may be going on, or have been left by crashes: more would let one ticket fill the disk. */
const maxUnfinished = 32

/** A file that has no name of its own yet. */
interface Unfinished {
  readonly path: string
  readonly handle: FileHandle
}

/**
 * A file never changes once it has its name, so the inode, the length and the time of the last write say which bytes these
 * are; should another hand write into it, the etag changes.
 */
export const headOf = (stats: BigIntStats): ObjectHead => ({
  sizeBytes: Number(stats.size),
  contentType: null,
  etag: `${stats.ino.toString(36)}-${stats.size.toString(36)}-${stats.mtimeNs.toString(36)}`,
  version: null,
})

/**
 * Creates the file of `key` with what `fill` writes: under a temporary name first, made durable, and then given its own name in
 * one step that fails when that is taken. Whatever goes wrong leaves nothing; a kill leaves only what `removeUnfinished` finds.
 */
export const createFile = async (
  directory: string,
  key: string,
  signal: AbortSignal | undefined,
  fill: (unfinished: Unfinished) => Promise<unknown>,
): Promise<ObjectHead> => {
  const { unfinished, place, made } = await openUnfinished(directory, key)
  let named = false
  try {
    const head = await fillDurably(unfinished, async () => {
      await refuseTaken(place.path)
      await fill(unfinished)
    })
    signal?.throwIfAborted()
    await giveName(unfinished.path, place)
    named = true
    await unlink(unfinished.path)
    await rmdir(place.unfinished).catch(() => undefined)
    await Promise.all([...new Set([place.parent, ...made.map(dirname)])].map((folder) => syncFolder(place.root, folder)))
    return head
  } catch (err) {
    await unlink(unfinished.path).catch(() => undefined)
    if (named) await unlink(place.path).catch(() => undefined)
    await prune(place.root, place.unfinished)
    throw err
  }
}

/** Fills a file with the bytes of another as a copy that shares blocks where the file system can, never as a second name. */
export const cloneInto = async (source: { readonly path: string; readonly handle: FileHandle }, target: Unfinished): Promise<void> => {
  const opened = process.platform === 'linux' ? `/proc/self/fd/${source.handle.fd}` : source.path
  await copyFile(opened, target.path, COPYFILE_FICLONE)
  await target.handle.chmod(fileMode)
}

/** All of `bytes`, where they belong: one call may write fewer. */
export const writeAt = async (handle: FileHandle, bytes: Uint8Array, start: number): Promise<void> => {
  for (let written = 0; written < bytes.byteLength;)
    written += (await handle.write(bytes, written, bytes.byteLength - written, start + written)).bytesWritten
}

/** Removes the file, if it is there. A folder of that name is no object and stays. */
export const removeFile = async (path: string): Promise<void> => {
  const found = await lstat(path).catch(nullWhenMissing)
  if (found && !found.isDirectory()) await unlink(path).catch(nullWhenMissing)
}

/** Removes what interrupted writes of this key left. */
export const removeUnfinished = async ({ unfinished }: Place): Promise<void> => {
  if (!(await lstat(unfinished).catch(nullWhenMissing))) return
  await rm(unfinished, { recursive: true, force: true, maxRetries: 5 }).catch(nullWhenMissing)
}

/** Throws when something has the name already, before anybody sends bytes in vain. */
const refuseTaken = async (path: string): Promise<void> => {
  const found = await lstat(path).catch(nullWhenMissing)
  if (found?.isSymbolicLink()) throw linkRefused()
  if (found) throw found.isDirectory() ? folderRefused() : new RindleError('object_exists', {})
}

const openUnfinished = async (directory: string, key: string): Promise<{ unfinished: Unfinished; place: Place; made: string[] }> => {
  const made: string[] = []
  let place = await makePlace(directory, key, made)
  for (let slot = 0; ; slot += 1) {
    const path = join(place.unfinished, String(slot))
    try {
      return { unfinished: { path, handle: await open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, fileMode) }, place, made }
    } catch (err) {
      if (slot >= maxUnfinished - 1) throw err
      if (codeOf(err) === 'ENOENT') place = await makePlace(directory, key, made)
      else if (codeOf(err) !== 'EEXIST') throw err
    }
  }
}

const fillDurably = async ({ handle }: Unfinished, fill: () => Promise<void>): Promise<ObjectHead> => {
  try {
    await fill()
    await handle.sync()
    return headOf(await handle.stat({ bigint: true }))
  } finally {
    await handle.close()
  }
}

const giveName = async (unfinished: string, { path }: Place): Promise<void> => {
  try {
    await link(unfinished, path)
  } catch (err) {
    if (codeOf(err) !== 'EEXIST') throw err
    await refuseTaken(path)
    throw new RindleError('object_exists', {})
  }
}
