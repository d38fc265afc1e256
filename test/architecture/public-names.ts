import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { root } from './sources.ts'

/** The checked-in list: what each subpath of the package exports. */
export const listPath = join(root, 'test/architecture/public-api.json')

export type PublicNames = Record<string, { values: string[]; types: string[] }>

/** What each subpath exports now, read off its source by the compiler. */
export function publicNames(): PublicNames {
  const exports: Record<string, string | Record<string, string>> = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).exports
  const entries = Object.entries(exports).flatMap(([subpath, target]) => {
    const source = typeof target === 'string' ? undefined : target['rindle-source']
    return source !== undefined && existsSync(join(root, source)) ? [{ subpath, file: join(root, source) }] : []
  })
  const config = ts.readConfigFile(join(root, 'tsconfig.json'), (path) => readFileSync(path, 'utf8'))
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, root)
  const program = ts.createProgram({ rootNames: entries.map(({ file }) => file), options })
  const checker = program.getTypeChecker()
  return Object.fromEntries(
    entries.map(({ subpath, file }) => {
      const tree = program.getSourceFile(file)
      const module = tree && checker.getSymbolAtLocation(tree)
      const names = module ? checker.getExportsOfModule(module) : []
      const isValue = (symbol: ts.Symbol) => {
        const target = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol
        return (target.flags & ts.SymbolFlags.Value) !== 0
      }
      const sorted = (wanted: boolean) =>
        names
          .filter((symbol) => isValue(symbol) === wanted)
          .map(({ name }) => name)
          .sort()
      return [subpath, { values: sorted(true), types: sorted(false) }]
    }),
  )
}
