import { mkdirSync, realpathSync } from 'node:fs'
import { resolve } from 'node:path'
import type { PgliteInstance } from './carriers/pglite.ts'
import { lockDirectory, type DirectoryLock } from './directory-lock.ts'

type Load = () => Promise<{ create(dataDir: string): Promise<PgliteInstance> }>

interface OpenDirectory {
  readonly instance: Promise<PgliteInstance>
  lock: DirectoryLock | null
  users: number
  /** The end of its closing, once nobody uses it. */
  closing: Promise<void> | null
}

/** What stands behind an embedded handle. */
interface Embedded {
  /** The instance, opened and locked by the first that asks. */
  open(): Promise<PgliteInstance>
  /** Closes it when nobody in this process uses it any more; the handle may be used again, and then opens again. */
  close(): Promise<void>
}

const embeddedKey = Symbol.for('rindle.embedded')

/** Shared by every copy of this module in the process, so that code which is loaded again, as under hot reloading, finds what is open. */
const directories = ((globalThis as Record<symbol, unknown>)[Symbol.for('rindle.embedded.directories')] ??= new Map()) as Map<
  string | symbol,
  OpenDirectory
>

class EmbeddedPglite {}

/**
 * A stand-in for a PGlite in `directory` that opens it on first use, whoever uses it first. Handles of the same directory share one
 * instance within the process.
 */
export const embed = <T extends object>(directory: string, load: Load): T => {
  const inMemory = isElsewhere(directory)
  const place = inMemory ? Symbol(directory) : resolve(directory)
  let opened: PgliteInstance | null = null
  let holds: string | symbol | null = null

  const embedded: Embedded = {
    async open() {
      if (opened) return opened
      const key = typeof place === 'symbol' ? place : realDirectory(place)
      await directories.get(key)?.closing
      const shared = directories.get(key) ?? openDirectory(key, directory, load)
      if (holds === null) shared.users += 1
      holds = key
      opened = await shared.instance.catch((err: unknown) => {
        holds = null
        throw err
      })
      return opened
    },
    async close() {
      const shared = holds === null ? null : directories.get(holds)
      const key = holds
      opened = null
      holds = null
      if (!shared || key === null) return
      shared.users -= 1
      if (shared.users > 0) return
      shared.closing = closeDirectory(key, shared)
      await shared.closing
    },
  }

  return new Proxy(new EmbeddedPglite(), {
    get(target, property) {
      if (property === embeddedKey) return embedded
      if (property === 'then') return undefined
      if (property === 'waitReady') return embedded.open().then(() => undefined)
      if (property === 'closed') return false
      if (property === 'ready') return opened !== null
      if (property === 'close') return embedded.close
      if (typeof property === 'symbol' || property === 'constructor') return Reflect.get(target, property)
      const instance = opened as Record<string, unknown> | null
      if (instance) return typeof instance[property] === 'function' ? instance[property].bind(instance) : instance[property]
      return async (...args: unknown[]) => {
        const method = ((await embedded.open()) as unknown as Record<string, (...args: unknown[]) => unknown>)[property]
        return method?.apply(await embedded.open(), args)
      }
    },
    has: (target, property) => property === embeddedKey || Reflect.has(target, property),
  }) as T
}

/** What stands behind `given`, when it is a handle made by `embed`. */
export const embeddedIn = (given: object): Embedded | null =>
  embeddedKey in given ? ((given as Record<symbol, unknown>)[embeddedKey] as Embedded) : null

const lockedKey = Symbol.for('rindle.embedded.locked')

/** Locks the directory of an instance that the app opened itself, once, until the app closes the instance. Nothing for one in memory. */
export const lockInstance = (instance: PgliteInstance & { [lockedKey]?: Promise<void> }): Promise<void> => {
  const directory = instance.dataDir?.replace(/^file:\/\//, '')
  if (!directory || isElsewhere(directory)) return Promise.resolve()
  instance[lockedKey] ??= lockUntilClosed(instance, directory).catch((err: unknown) => {
    delete instance[lockedKey]
    throw err
  })
  return instance[lockedKey]
}

const lockUntilClosed = async (instance: PgliteInstance, directory: string): Promise<void> => {
  const lock = await lockDirectory(realDirectory(resolve(directory)), process.platform)
  const close = instance.close.bind(instance)
  instance.close = async () => {
    await close()
    await lock.release()
  }
}

/** `memory://` and its like are no directories. */
const isElsewhere = (place: string): boolean => /^[a-z]+:\/\//.test(place)

const realDirectory = (directory: string): string => {
  mkdirSync(directory, { recursive: true })
  return realpathSync(directory)
}

/** Keyed by the real directory, or by a symbol for one in memory. */
const openDirectory = (key: string | symbol, given: string, load: Load): OpenDirectory => {
  const open = async () => {
    const { create } = await load()
    shared.lock = typeof key === 'string' ? await lockDirectory(key, process.platform) : null
    try {
      return await create(typeof key === 'string' ? key : given)
    } catch (err) {
      await shared.lock?.release()
      throw err
    }
  }
  const shared: OpenDirectory = { lock: null, instance: Promise.resolve().then(open), users: 0, closing: null }
  directories.set(key, shared)
  shared.instance.catch(() => directories.delete(key))
  return shared
}

const closeDirectory = async (key: string | symbol, shared: OpenDirectory): Promise<void> => {
  try {
    await (await shared.instance).close()
  } finally {
    directories.delete(key)
    await shared.lock?.release()
  }
}
