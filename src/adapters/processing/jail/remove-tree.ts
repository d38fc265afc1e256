import { chmod, opendir, rmdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from '../../../core/ports/logger.ts'

/**
 * Removes a folder with whatever a child left in it, one after the other, so that this process goes on with its work however much it is. A
 * folder that nobody may look into is opened for it. Never throws: what stays is logged.
 */
export const removeTree = async (folder: string, logger?: Logger): Promise<void> => {
  try {
    await removeFolder(folder)
  } catch (err) {
    if (!isGone(err))
      logger?.warn({ event: 'leftovers_kept', err }, 'what a decoder left could not be removed; it is tried again in an hour')
  }
}

/** Folders in folders are walked with a list: their depth is the child's to choose. */
const removeFolder = async (root: string): Promise<void> => {
  const waiting = [root]
  for (let folder = waiting.at(-1); folder !== undefined; folder = waiting.at(-1)) {
    await chmod(folder, 0o700)
    const before = waiting.length
    for await (const entry of await opendir(folder, { bufferSize: 128 })) {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) waiting.push(path)
      else await unlink(path)
      if (waiting.length - before >= mostAtOnce) break
    }
    if (waiting.length > before) continue
    await rmdir(folder)
    waiting.pop()
  }
}

const mostAtOnce = 1_000

const isGone = (err: unknown): boolean => err instanceof Error && 'code' in err && err.code === 'ENOENT'
