import { existsSync, lstatSync, readFileSync, readlinkSync, realpathSync } from 'node:fs'
import { basename, dirname, join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

/** What a sandbox shows of this machine, all of it to be read only. */
export interface View {
  /** Files and folders, each where it really is; none lies in another. */
  readonly places: readonly string[]
  readonly links: readonly { readonly at: string; readonly to: string }[]
}

/** What code in a child imports; what these need themselves comes with them. */
export const packagesOfChild: readonly string[] = ['file-type', 'heic-decode', 'sharp', 'thumbhash']

const systemFolders = ['/usr/bin', '/usr/lib', '/usr/lib32', '/usr/lib64', '/usr/libexec', '/usr/share', '/usr/local/bin', '/usr/local/lib']
const systemRoots = ['/bin', '/lib', '/lib32', '/lib64', '/sbin', '/nix/store', '/opt/homebrew']
/** Where libraries and programs look for one another, and fonts. */
const systemFiles = ['/etc/alternatives', '/etc/ld.so.cache', '/etc/fonts', '/var/cache/fontconfig', '/etc/perl']

/** The system's libraries and programs, Node.js, and the code of the child with the packages it needs, wherever links lead to them. */
export const viewFor = (entry: string, node: string): View => {
  const code = dirname(fileURLToPath(new URL('../..', entry)))
  const own = packagesBelow(dirname(code), packagesOfChild)
  const links = systemRoots.flatMap((at) => (isLink(at) ? [{ at, to: readlinkSync(at) }] : []))
  const roots = systemRoots.filter((at) => existsSync(at) && !isLink(at))
  const system = [...systemFolders, ...roots, ...systemFiles].filter((path) => existsSync(path))
  const places = outermost([...system, realpathSync(node), code, join(dirname(code), 'package.json'), ...own.places])
  return { places, links: [...links, ...own.links.filter(({ at }) => !places.some((place) => isWithin(at, place)))] }
}

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

/** The real folders of packages and of all that they depend on, and the links that lead there, as Node.js would look for them from a folder. */
export const packagesBelow = (folder: string, names: readonly string[]): View => {
  const places = new Set<string>()
  const links = new Map<string, string>()
  const follow = (from: string, parts: readonly string[]): string =>
    parts.reduce((at, part) => {
      const next = join(at, part)
      if (!isLink(next)) return next
      const to = realpathSync(next)
      links.set(next, to)
      return to
    }, from)
  const visit = (from: string, name: string): void => {
    const above = ancestors(from).find((one) => existsSync(join(one, 'node_modules', name, 'package.json')))
    if (above === undefined) return
    const place = follow(above, ['node_modules', ...name.split('/')])
    if (places.has(place)) return
    places.add(place)
    const manifest: Manifest = JSON.parse(readFileSync(join(place, 'package.json'), 'utf8'))
    for (const next of Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies })) visit(place, next)
  }
  for (const name of names) visit(realpathSync(folder), name)
  return { places: [...places], links: [...links].map(([at, to]) => ({ at, to })) }
}

const ancestors = (folder: string): string[] => {
  const parts = folder.split(sep)
  return parts.map((_, index) => parts.slice(0, parts.length - index).join(sep) || sep).filter((one) => basename(one) !== 'node_modules')
}

const outermost = (paths: readonly string[]): string[] => {
  const all = [...new Set(paths)]
  return all.filter((path) => !all.some((other) => other !== path && isWithin(path, other)))
}

const isWithin = (path: string, folder: string): boolean => path === folder || path.startsWith(folder + sep)

const isLink = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false
