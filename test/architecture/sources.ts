import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import ts from 'typescript'

/** One file below src/, parsed. */
export type Source = {
  /** Relative to src/: `flows/uploads/sign-upload.ts`. */
  readonly name: string
  readonly text: string
  readonly tree: ts.SourceFile
  readonly isTest: boolean
}

export type Import = {
  readonly specifier: string
  readonly line: number
  /** Relative to src/, null for packages. */
  readonly target: string | null
  /** True when only types are taken. */
  readonly typesOnly: boolean
}

export const root = new URL('../../', import.meta.url).pathname

/** All TypeScript below a folder of the repository, by path relative to that folder. */
export function readSources(folder = 'src'): Source[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.tsx?$/.test(name) && !name.includes('node_modules'))
    .sort()
    .map((name) => {
      const text = readFileSync(join(root, folder, name), 'utf8')
      const tree = ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true, name.endsWith('x') ? ts.ScriptKind.TSX : ts.ScriptKind.TS)
      return { name, text, tree, isTest: /\.test\.tsx?$/.test(name) }
    })
}

/** Whatever a file names as a module: imports, re-exports, `import()` and `import()` types. Types count. */
export function importsOf(source: Source): Import[] {
  const found: Import[] = []
  const add = (node: ts.Node | undefined, typesOnly: boolean) => {
    if (!node || !ts.isStringLiteralLike(node)) return
    const target = node.text.startsWith('.') ? normalize(join(dirname(source.name), node.text)) : null
    found.push({ specifier: node.text, line: lineOf(source, node), target, typesOnly })
  }
  walk(source.tree, (node) => {
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword)
    if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, node.isTypeOnly)
    if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node.argument.literal, true)
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) add(node.arguments[0], false)
  })
  return found
}

/** The package that a specifier names: `pg-boss/x` is `pg-boss`, `@a/b/c` is `@a/b`. Null for relative, `node:` and `#` ones. */
export function packageOf(specifier: string): string | null {
  if (/^(\.|node:|#)/.test(specifier)) return null
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}

export function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node)
  ts.forEachChild(node, (child) => walk(child, visit))
}

/** 1 for the first line. */
export function lineOf(source: Source, node: ts.Node): number {
  return source.tree.getLineAndCharacterOfPosition(node.getStart(source.tree)).line + 1
}

/** `name:line what` for every node that `judge` objects to, so that a failed test is a list of places. */
export function offences(sources: readonly Source[], judge: (node: ts.Node, source: Source) => string | null): string[] {
  const found: string[] = []
  for (const source of sources) {
    walk(source.tree, (node) => {
      const complaint = judge(node, source)
      if (complaint !== null) found.push(`${source.name}:${lineOf(source, node)} ${complaint}`)
    })
  }
  return found
}
