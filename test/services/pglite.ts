import { createHash, randomBytes } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PGlite } from '@electric-sql/pglite'

const cache = new URL('../../.cache/', import.meta.url).pathname

/**
 * Gives a temporary folder with a freshly initialised PGlite data directory in `db`, ready for `pglite(join(folder, 'db'))`.
 * Initialising takes seconds, so it is done once per version of PGlite and copied from then on. `from` is another directory to copy.
 */
export async function pgliteFolder(from?: string): Promise<{ folder: string; dataDir: string; remove(): void }> {
  const template = from ?? (await initialisedDirectory())
  const folder = mkdtempSync(join(tmpdir(), 'rindle-pglite-'))
  const dataDir = join(folder, 'db')
  cpSync(template, dataDir, { recursive: true })
  return { folder, dataDir, remove: () => rmSync(folder, { recursive: true, force: true }) }
}

/** The data directory that all copies are made from; made when it is not there yet, by one process at a time or by several alike. */
export async function initialisedDirectory(): Promise<string> {
  const manifest = new URL('../../node_modules/@electric-sql/pglite/package.json', import.meta.url)
  const version = createHash('sha256').update(readFileSync(manifest)).digest('hex').slice(0, 12)
  const directory = join(cache, `pglite-${version}`)
  if (existsSync(directory)) return directory
  mkdirSync(cache, { recursive: true })
  const draft = `${directory}.${randomBytes(4).toString('hex')}`
  const database = await PGlite.create(draft)
  await database.close()
  try {
    renameSync(draft, directory)
  } catch (error) {
    rmSync(draft, { recursive: true, force: true })
    if (!existsSync(directory)) throw error
  }
  return directory
}
