import { chmod, lstat, mkdtemp, readdir, rm, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { RindleContext } from '../../context.ts'
import { scratchSeconds } from '../../core/schedule.ts'

/**
 * What jobs call their folders, and the files beside them; what decoders are given, which stamp it now and then while they wait; and what a worker
 * that was killed while it looked for the time of the file system left.
 */
const ofJob = /^(rindle-(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?:decoder|now)-[A-Za-z0-9]{6}))(?:\.received|\.original)?$/

/**
 * Removes the folders of jobs and decoders whose worker was killed, and the files beside them. Both are taken for abandoned together, when nothing in any of
 * them was written for an hour: a long download writes beside a folder that lies still. What cannot be removed is logged, and the rest goes on.
 */
export async function clearScratch(ctx: {
  readonly host: Pick<RindleContext['host'], 'scratchFolder'>
  readonly logger?: RindleContext['logger']
}): Promise<void> {
  const { scratchFolder } = ctx.host
  const before = (await fileTime(scratchFolder)) - scratchSeconds * 1000
  const jobs = Map.groupBy(await readdir(scratchFolder), (name) => ofJob.exec(name)?.[1])
  jobs.delete(undefined)
  for (const names of jobs.values()) {
    const paths = names.map((name) => join(scratchFolder, name))
    const times = await Promise.all(paths.map(lastWritten))
    if (Math.max(...times) >= before) continue
    for (const path of paths)
      await removed(path).catch((err: unknown) =>
        ctx.logger?.warn({ event: 'leftovers_kept', path, err }, 'what a job left could not be removed; it is tried again in an hour'),
      )
  }
}

const removed = async (path: string): Promise<void> => {
  try {
    await removeAll(path)
  } catch (err) {
    if (!(await lstat(path)).isDirectory()) throw err
    await openFolders(path)
    await removeAll(path)
  }
}

/** Of a file that it may not remove, `rm` says that it is no folder: `unlink` says why. */
const removeAll = (path: string): Promise<void> =>
  rm(path, { recursive: true, force: true }).catch(async (err: unknown) => {
    if (err instanceof Error && 'code' in err && err.code === 'ENOTDIR' && 'path' in err) await unlink(String(err.path))
    throw err
  })

/** A decoder may have left folders that nobody can look into. */
const openFolders = async (root: string): Promise<void> => {
  const waiting = [root]
  for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
    await chmod(folder, 0o700)
    for (const entry of await readdir(folder, { withFileTypes: true })) if (entry.isDirectory()) waiting.push(join(folder, entry.name))
  }
}

/** What the file system stamps files with now: neither the database's time nor, over a network, this machine's. */
const fileTime = async (folder: string): Promise<number> => {
  const probe = await mkdtemp(join(folder, 'rindle-now-'))
  const { mtimeMs } = await lstat(probe)
  await rm(probe, { recursive: true })
  return mtimeMs
}

const lastWritten = async (folder: string): Promise<number> => {
  const inside = await readdir(folder, { recursive: true }).catch(() => [])
  const times = await Promise.all(
    ['', ...inside].map((name) =>
      lstat(join(folder, name)).then(
        ({ mtimeMs }) => mtimeMs,
        () => 0,
      ),
    ),
  )
  return Math.max(...times)
}
