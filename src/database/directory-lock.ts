import { createHash } from 'node:crypto'
import { closeSync, linkSync, openSync, readFileSync, renameSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { createServer } from 'node:net'
import { RindleError } from '../core/errors.ts'

export interface DirectoryLock {
  release(): Promise<void>
}

/**
 * Holds a directory for this process alone, until `release` or the end of the process, however it ends. Nothing is ever taken from a
 * process that lives.
 *
 * On Linux an abstract socket holds it, which the kernel frees together with the process; the file beside the directory only tells
 * people who holds it. Elsewhere that file holds it, and the one of a dead process is set aside. Processes that share the directory but
 * not the machine, or not its network namespace, do not see each other.
 *
 * @throws RindleError `database_in_use`
 */
export const lockDirectory = async (directory: string, platform: NodeJS.Platform): Promise<DirectoryLock> =>
  platform === 'linux' ? lockBySocket(directory) : lockByFile(directory)

const pidFile = (directory: string): string => `${directory}.pid`

const lockBySocket = async (directory: string): Promise<DirectoryLock> => {
  const name = createHash('sha256').update(directory).digest('hex').slice(0, 32)
  const server = createServer((socket) => socket.destroy())
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ path: `\0rindle-${name}`, exclusive: true }, resolve)
  }).catch((err: NodeJS.ErrnoException) => {
    if (err.code === 'EADDRINUSE') throw inUse(directory)
    throw new RindleError('database_unavailable', { operation: 'lock the directory' }, { cause: err })
  })
  server.unref()
  tellPid(directory)
  return {
    release: () =>
      new Promise((resolve) => {
        rmSync(pidFile(directory), { force: true })
        server.close(() => resolve())
      }),
  }
}

/** For people alone, so a folder that cannot be written to is no reason to fail. */
const tellPid = (directory: string): void => {
  try {
    writeFileSync(pidFile(directory), `${process.pid}\n`)
  } catch (err) {
    if (!isCode(err, 'EACCES') && !isCode(err, 'EROFS') && !isCode(err, 'EPERM')) throw err
  }
}

const lockByFile = async (directory: string): Promise<DirectoryLock> => {
  for (const attempt of [1, 2]) {
    try {
      const file = openSync(pidFile(directory), 'wx')
      writeSync(file, `${process.pid}\n`)
      closeSync(file)
      return { release: async () => rmSync(pidFile(directory), { force: true }) }
    } catch (err) {
      if (!isCode(err, 'EEXIST')) throw new RindleError('database_unavailable', { operation: 'lock the directory' }, { cause: err })
      if (attempt === 2 || !setAsideDead(directory)) throw inUse(directory)
    }
  }
  throw inUse(directory)
}

/** Moves the file of a dead holder away. Two that find the same one dead cannot both succeed: the second moves a living one, and puts it back. */
const setAsideDead = (directory: string): boolean => {
  const pid = readPid(pidFile(directory))
  if (pid === null || isAlive(pid)) return false
  const aside = `${pidFile(directory)}.${process.pid}`
  try {
    renameSync(pidFile(directory), aside)
    const moved = readPid(aside)
    if (moved !== pid) linkSync(aside, pidFile(directory))
    rmSync(aside, { force: true })
    return moved === pid
  } catch {
    return false
  }
}

const inUse = (directory: string): RindleError => {
  const pid = readPid(pidFile(directory))
  return new RindleError('database_in_use', { directory, pid: pid !== null && isAlive(pid) ? pid : null })
}

const readPid = (file: string): number | null => {
  try {
    const pid = Number(readFileSync(file, 'utf8'))
    return Number.isInteger(pid) && pid > 0 ? pid : null
  } catch {
    return null
  }
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (err) {
    return isCode(err, 'EPERM')
  }
}

const isCode = (err: unknown, code: string): boolean => typeof err === 'object' && err !== null && 'code' in err && err.code === code
