import { TrieRouter } from 'hono/router/trie-router'
import { RindleError } from '../../core/errors.ts'
import type { Method, Route } from '../../wire/routes.ts'

export interface Match<T> {
  readonly route: T
  readonly params: Readonly<Record<string, string>>
}

interface Router<T> {
  /** @throws RindleError `route_not_found`, `method_not_allowed` */
  match(method: string, path: string): Match<T>
  /** The methods that a path answers to. */
  methodsOf(path: string): readonly Method[]
}

const methods: readonly Method[] = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE']

export const createRouter = <T extends Route>(table: readonly T[]): Router<T> => {
  const trie = new TrieRouter<T>()
  for (const route of table) trie.add(route.method, route.path, route)

  /** The trie looks methods up in plain objects: `__proto__` would be found there, and written to. */
  const find = (method: string, path: string): Match<T> | null => {
    if (!methods.some((known) => known === method)) return null
    const [matches, stash] = trie.match(method, path)
    const [found] = matches
    if (!found) return null
    const [route, given] = found
    const params = Object.entries(given).map(([name, value]) => [name, decoded(typeof value === 'number' ? (stash?.[value] ?? '') : value)])
    return { route, params: Object.fromEntries(params) }
  }
  const methodsOf = (path: string): readonly Method[] => methods.filter((method) => find(method, path) !== null)

  return {
    methodsOf,
    match(method, path) {
      const found = find(method, path)
      if (found) return found
      const allowed = methodsOf(path)
      throw allowed.length > 0 ? new RindleError('method_not_allowed', { allowed }) : new RindleError('route_not_found', {})
    },
  }
}

/**
 * The path below the place where the handler is mounted. Frameworks that cut the mount path off the address are understood as well
 * as those that leave it on.
 */
export const pathBelow = (url: string, basePath: string): string => {
  const { pathname } = new URL(url)
  const below =
    basePath !== '' && (pathname === basePath || pathname.startsWith(`${basePath}/`)) ? pathname.slice(basePath.length) : pathname
  return below === '' ? '/' : below
}

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
