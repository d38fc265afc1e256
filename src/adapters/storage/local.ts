import { lstat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { RindleError } from '../../core/errors.ts'
import type { StorageAdapter } from '../../core/ports/storage.ts'
import { spanOf } from './byte-range.ts'
import { drain } from './drain.ts'
import { refusePatchesBeyond } from './patches.ts'
import { batchedWriter } from './local/batched-writer.ts'
import { listFiles } from './local/list.ts'
import { findPlace, linkRefused, nullWhenMissing, prune, syncFolder } from './local/paths.ts'
import { openFile, streamOf } from './local/read.ts'
import { cloneInto, createFile, headOf, removeFile, removeUnfinished, writeAt } from './local/write.ts'

/**
 * Holds objects as files below `directory`, each at the path that is its key: made on the first write, its folders readable by this user
 * alone. The file system must know hard links, by which a finished file gets its name in one step; no link is ever left.
 *
 * The file system keeps no content type, so `head` answers null for it; the library's rows hold it. No symbolic link below
 * the directory is followed. Several processes may share it.
 *
 * @throws RindleError `argument_invalid` for an empty directory. Calls also throw `object_key_invalid` where a symbolic link, or a
 * folder where a file should be, is in the way.
 */
export const local = (options: { readonly directory: string }): StorageAdapter => {
  if (options.directory === '') throw new RindleError('argument_invalid', { argument: 'directory', problem: 'it is empty' })
  const directory = resolve(options.directory)
  const id = `local:${directory}`

  return {
    id,
    capabilities: new Set(['hosted', 'create_only_put', 'conditional_copy', 'patched_copy']),

    async put(key, body, { signal, sizeBytes }) {
      try {
        return await createFile(directory, key, signal, async ({ handle }) => {
          const writer = batchedWriter(handle)
          await drain(body, { signal, sizeBytes }, writer.write)
          await writer.flush()
        })
      } catch (err) {
        void body.cancel(err).catch(() => undefined)
        throw err
      }
    },

    async head(key, { signal } = {}) {
      signal?.throwIfAborted()
      const place = await findPlace(directory, key)
      const stats = place && (await lstat(place.path, { bigint: true }).catch(nullWhenMissing))
      if (stats?.isSymbolicLink()) throw linkRefused()
      return stats?.isFile() ? headOf(stats) : null
    },

    async read(key, { signal, range } = {}) {
      signal?.throwIfAborted()
      const file = await openFile(directory, key)
      if (!file) return null
      try {
        const head = headOf(await file.handle.stat({ bigint: true }))
        const span = spanOf(range, head.sizeBytes)
        signal?.throwIfAborted()
        return { ...head, body: await streamOf(file.handle, span, { store: id, signal }) }
      } catch (err) {
        await file.handle.close()
        throw err
      }
    },

    async copy(from, to, { signal, ifMatch, patches = [] } = {}) {
      signal?.throwIfAborted()
      const source = await openFile(directory, from)
      if (!source) return null
      try {
        refusePatchesBeyond(patches, Number((await source.handle.stat()).size))
        const etag = async (): Promise<string> => headOf(await source.handle.stat({ bigint: true })).etag
        const before = await etag()
        if (ifMatch !== undefined && ifMatch !== before) return null
        return await createFile(directory, to, signal, async (target) => {
          await cloneInto(source, target)
          for (const { start, bytes } of patches) await writeAt(target.handle, bytes, start)
          if ((await etag()) !== before)
            throw new RindleError('storage_failed', { operation: 'copy an object that is being written to', store: id })
        })
      } finally {
        await source.handle.close()
      }
    },

    async delete(key, { signal } = {}) {
      signal?.throwIfAborted()
      const place = await findPlace(directory, key)
      if (!place) return
      await removeFile(place.path)
      await removeUnfinished(place)
      await syncFolder(place.root, await prune(place.root, place.parent))
    },

    list: (prefix, { signal } = {}) => listFiles(directory, prefix, signal),
  }
}
