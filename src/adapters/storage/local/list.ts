import type { Dirent } from 'node:fs'
import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { problemOfKey } from '../../../core/object-key.ts'
import type { ListedObject } from '../../../core/ports/storage.ts'
import { byKey } from '../key-order.ts'
import { findPlace, findRoot, nullWhenMissing } from './paths.ts'

/** Walks the files whose keys begin with `prefix`, in key order, one folder in memory at a time. Unfinished writes and links are no objects. */
export async function* listFiles(directory: string, prefix: string, signal: AbortSignal | undefined): AsyncGenerator<ListedObject> {
  const folderKey = prefix.slice(0, prefix.lastIndexOf('/') + 1)
  const folder = folderKey === '' ? await findRoot(directory) : await folderOf(directory, folderKey)
  if (folder !== null) yield* walk(folder, folderKey, prefix, signal)
}

/** Asks for the place of a file in it, so that the folder is held to what holds for files. */
const folderOf = async (directory: string, folderKey: string): Promise<string | null> =>
  (await findPlace(directory, `${folderKey}x`))?.parent ?? null

async function* walk(folder: string, folderKey: string, prefix: string, signal: AbortSignal | undefined): AsyncGenerator<ListedObject> {
  for (const { name, isFolder } of await entriesOf(folder)) {
    signal?.throwIfAborted()
    const key = folderKey + name
    if (isFolder) {
      if (key.startsWith(prefix) || prefix.startsWith(key)) yield* walk(join(folder, name.slice(0, -1)), key, prefix, signal)
      continue
    }
    if (!key.startsWith(prefix) || problemOfKey(key) !== null) continue
    const stats = await lstat(join(folder, name)).catch(nullWhenMissing)
    if (stats?.isFile()) yield { key, sizeBytes: stats.size, modifiedAt: stats.mtime }
  }
}

/** A folder counts as its name with a slash: that is how its keys sort among the files beside it. */
const entriesOf = async (folder: string): Promise<{ name: string; isFolder: boolean }[]> => {
  const entries: Dirent[] = (await readdir(folder, { withFileTypes: true }).catch(nullWhenMissing)) ?? []
  return entries
    .filter((entry) => entry.isFile() || (entry.isDirectory() && problemOfKey(`unmanaged/${entry.name}`) === null))
    .map((entry) => ({ name: entry.isDirectory() ? `${entry.name}/` : entry.name, isFolder: entry.isDirectory() }))
    .sort((one, other) => byKey(one.name, other.name))
}
