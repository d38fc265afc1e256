import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type AnyRindle, contextOf } from '../../context.ts'
import { isRindleError, RindleError } from '../../core/errors.ts'
import type { Rindle } from '../../rindle.ts'
import type { CliConfig } from './config.ts'

const configFiles = ['rindle.config.ts', 'rindle.config.js']

/**
 * The app's `rindle`: the export of that name from FILE, else from the file that `rindle.app` in the nearest package.json names, else from
 * rindle.config.ts or rindle.config.js beside it.
 *
 * @throws RindleError `app_not_found`, `app_not_loaded`, `app_needs_typescript`
 */
export async function findApp(config: CliConfig, file: string | null): Promise<Rindle> {
  const looked: string[] = []
  const shown = (path: string): string => relative(config.folder, path) || path
  for (const candidate of candidates(config.folder, file)) {
    if (!existsSync(candidate)) {
      looked.push(`${shown(candidate)} (not there)`)
      continue
    }
    const found = await load(config, candidate, shown(candidate))
    if (found) return found
    looked.push(`${shown(candidate)} (no such export)`)
  }
  throw new RindleError('app_not_found', { looked })
}

const candidates = (folder: string, file: string | null): string[] => {
  if (file !== null) return [resolve(folder, file)]
  const packageFile = nearest(folder, 'package.json')
  const root = packageFile === null ? folder : dirname(packageFile)
  const named = packageFile === null ? null : appIn(packageFile)
  if (named !== null) return [resolve(root, named)]
  return [...new Set([folder, root])].flatMap((place) => configFiles.map((name) => join(place, name)))
}

const nearest = (folder: string, name: string): string | null => {
  for (let place = folder; ; place = dirname(place)) {
    if (existsSync(join(place, name))) return join(place, name)
    if (dirname(place) === place) return null
  }
}

const appIn = (packageFile: string): string | null => {
  const content: unknown = readJson(packageFile)
  const section = typeof content === 'object' && content !== null && 'rindle' in content ? content.rindle : null
  const app = typeof section === 'object' && section !== null && 'app' in section ? section.app : null
  return typeof app === 'string' ? app : null
}

const readJson = (path: string): unknown => {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch (cause) {
    throw new RindleError('app_not_loaded', { file: path, reason: 'it is not JSON' }, { cause })
  }
}

/** @returns null when the file exports no `rindle`. */
const load = async (config: CliConfig, path: string, shown: string): Promise<Rindle | null> => {
  let module: Readonly<Record<string, unknown>>
  try {
    module = await import(pathToFileURL(path).href)
  } catch (cause) {
    if (isRindleError(cause)) throw cause
    if (codeOf(cause) === 'ERR_UNKNOWN_FILE_EXTENSION' && /\.[cm]?tsx?$/.test(path)) {
      throw new RindleError('app_needs_typescript', { file: shown, node: config.nodeVersion }, { cause })
    }
    throw new RindleError('app_not_loaded', { file: shown, reason: cause instanceof Error ? cause.message : String(cause) }, { cause })
  }
  const { rindle } = module
  if (rindle === undefined || rindle === null) return null
  if (isRindle(rindle)) return rindle
  throw new RindleError('app_not_loaded', {
    file: shown,
    reason: 'its export rindle does not come from createRindle of this copy of the package',
  })
}

const codeOf = (err: unknown): unknown => (typeof err === 'object' && err !== null && 'code' in err ? err.code : null)

const isRindle = (value: unknown): value is Rindle => {
  if (!canBeReady(value)) return false
  try {
    return Boolean(contextOf(value))
  } catch {
    return false
  }
}

const canBeReady = (value: unknown): value is AnyRindle =>
  typeof value === 'object' && value !== null && 'ready' in value && typeof value.ready === 'function'
