import { readdirSync } from 'node:fs'
import { basename, join, relative } from 'node:path'

export interface CorpusFile {
  readonly path: string
  /** Below its corpus, for people. */
  readonly label: string
  /** The file's own name. */
  readonly filename: string
}

/** Licences and what tells of them; editors' and version control's own. */
const aside = /^(?:LICEN[CS]E.*|README.*|\..*)$/i

/** Every file of the folders, in a fixed order, without those that only tell about the others. */
export const corpusFiles = (folders: readonly string[], below = ''): CorpusFile[] =>
  folders.flatMap((folder) =>
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !aside.test(entry.name))
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((path) => relative(folder, path).startsWith(below))
      .sort()
      .map((path) => ({ path, label: relative(folder, path), filename: basename(path) })),
  )
