import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import ts from 'typescript'
import { lineOf, offences, readSources, type Source, walk } from './sources.ts'

const everything = readSources()
const sources = everything.filter(({ isTest }) => !isTest)
const outside = (...places: readonly (string | RegExp)[]) =>
  sources.filter(({ name }) => !places.some((place) => (typeof place === 'string' ? name === place : place.test(name))))

/** `a.b` written out, for comparing member accesses. */
function dotted(node: ts.Node): string {
  return ts.isPropertyAccessExpression(node) && ts.isIdentifier(node.expression) ? `${node.expression.text}.${node.name.text}` : ''
}

/** The text of a string or template as it stands in the source, null for other nodes. */
function stringText(node: ts.Node, source: Source): string | null {
  if (ts.isStringLiteralLike(node) || ts.isTemplateExpression(node)) return node.getText(source.tree)
  return null
}

describe('house rules', () => {
  it('time comes from the clock', () => {
    const found = offences(outside('core/clock.ts', /^database\/.*clock\.ts$/), (node) => {
      if (dotted(node) === 'Date.now') return 'Date.now'
      return ts.isNewExpression(node) && ts.isIdentifier(node.expression) && node.expression.text === 'Date' && !node.arguments?.length
        ? 'new Date()'
        : null
    })
    assert.deepEqual(found, [])
  })

  it('ids come from ids.ts, and nothing is left to chance', () => {
    const found = offences(outside('core/ids.ts'), (node) => {
      if (ts.isIdentifier(node) && node.text === 'randomUUID') return 'randomUUID'
      return dotted(node) === 'Math.random' ? 'Math.random' : null
    })
    assert.deepEqual(found, [])
  })

  it('the environment is read in two files', () => {
    const found = offences(outside('host.ts', 'doors/cli/config.ts'), (node) => (dotted(node) === 'process.env' ? 'process.env' : null))
    assert.deepEqual(found, [])
  })

  it('only move.ts writes a state column', () => {
    const writes = /\bset\b(?:(?!\bwhere\b|\bfrom\b)[^;])*?(?<![.\w])state"?\s*=|\binsert\s+into\b[^(;]*\([^)]*(?<!\w)state\b/i
    const found = offences(outside('database/move.ts', /^database\/migrations\//), (node, source) => {
      const text = stringText(node, source)
      return text !== null && writes.test(text) ? 'writes state' : null
    })
    assert.deepEqual(found, [])
  })

  it('SQL is written in database/', () => {
    const statement = /^[`'"]\s*(select\s[^`]*\sfrom\s|insert\s+into\s|update\s+\S+\s+set\s|delete\s+from\s|with\s+\S+\s+as\s*\()/i
    const found = offences(outside(/^database\//, /^adapters\/queue\//), (node, source) => {
      const text = stringText(node, source)
      return text !== null && statement.test(text) ? 'SQL' : null
    })
    assert.deepEqual(found, [])
  })

  it('every error is in the catalogue', () => {
    const bare = /^(Error|TypeError|RangeError|SyntaxError|EvalError|AggregateError)$/
    const found = offences(sources, (node) => {
      if ((ts.isNewExpression(node) || ts.isCallExpression(node)) && ts.isIdentifier(node.expression) && bare.test(node.expression.text)) {
        return `new ${node.expression.text}`
      }
      if (!ts.isThrowStatement(node)) return null
      return ts.isStringLiteralLike(node.expression) ||
        ts.isTemplateExpression(node.expression) ||
        ts.isObjectLiteralExpression(node.expression)
        ? 'throws something that is no error'
        : null
    })
    assert.deepEqual(found, [])
  })

  it('core neither waits nor touches the outside', () => {
    const globals = new Set(['process', 'console', 'fetch', 'setTimeout', 'setInterval', 'setImmediate', 'performance'])
    const core = sources.filter(({ name }) => name.startsWith('core/'))
    const found = offences(core, (node) => {
      if (ts.isAwaitExpression(node) || node.kind === ts.SyntaxKind.AsyncKeyword) return 'waits'
      return ts.isIdentifier(node) && globals.has(node.text) && !isName(node) ? node.text : null
    })
    assert.deepEqual(found, [])
  })

  it('every file is named for what it holds', () => {
    const vague = /(^|[/-])(utils?|helpers?|managers?|services?|common|misc|data|info)(-|\.|\/)/
    const found = sources.map(({ name }) => name).filter((name) => vague.test(name) || !/^[a-z0-9/.-]+\.tsx?$/.test(name))
    assert.deepEqual(found, [])
  })
})

describe('the type system', () => {
  it('is not switched off by any', () => {
    const all = ['src', 'test', 'bench', 'prove', 'scripts'].flatMap((folder) =>
      readSources(folder).map((source) => ({ ...source, name: `${folder}/${source.name}` })),
    )
    assert.deepEqual(
      offences(all, (node) => (node.kind === ts.SyntaxKind.AnyKeyword ? 'any' : null)),
      [],
    )
  })

  it('is overruled by `as` only at the edges', () => {
    const found = offences(outside(/^adapters\//, /^database\//, 'core/errors.ts', 'core/profile.ts'), (node) => {
      if (ts.isTypeAssertionExpression(node)) return '<T>'
      return ts.isAsExpression(node) && !ts.isConstTypeReference(node.type) ? `as ${node.type.getText()}` : null
    })
    assert.deepEqual(found, [])
  })

  it('is never silenced by a comment', () => {
    const silenced = everything
      .filter(({ text }) => /@ts-(ignore|nocheck|expect-error)|eslint-disable/.test(text) && !/@ts-expect-error/.test(text))
      .map(({ name }) => name)
    const inShipped = sources.filter(({ text }) => /@ts-expect-error/.test(text)).map(({ name }) => name)
    assert.deepEqual([...silenced, ...inShipped], [])
  })
})

describe('size and shape', () => {
  const isTable = (name: string) => /^database\/migrations\/|^core\/(errors|events|presets)\.ts$|^database\/schema\.ts$/.test(name)

  it('files end before line 400', () => {
    const long = sources.filter(({ name, text }) => !isTable(name) && text.split('\n').length > 400)
    assert.deepEqual(
      long.map(({ name, text }) => `${name}: ${text.split('\n').length} lines`),
      [],
    )
  })

  it('functions take at most 60 lines, those inside them counted for themselves', () => {
    const shipped = sources.filter(({ name }) => !isTable(name))
    const found = offences(shipped, (node, source) => {
      const lines = ownLines(node, source)
      return lines > 60 ? `${lines} lines` : null
    })
    assert.deepEqual(found, [])
  })

  it('nothing is exported by default', () => {
    const found = offences(sources, (node) => {
      if (ts.isExportAssignment(node)) return 'export default'
      return ts.canHaveModifiers(node) && ts.getModifiers(node)?.some(({ kind }) => kind === ts.SyntaxKind.DefaultKeyword)
        ? 'export default'
        : null
    })
    assert.deepEqual(found, [])
  })

  it('a flow is one exported function, named as its file', () => {
    const flows = sources.filter(({ name }) => name.startsWith('flows/'))
    const found = flows.flatMap((source) => {
      const wanted = source.name.replace(/^.*\/|\.ts$/g, '').replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase())
      const names = exportedFunctions(source)
      if (/^flows\/(steps|gate|checks)\//.test(source.name))
        return names.includes(wanted) || names.length === 0 ? [] : [`${source.name} exports ${names.join(', ')}`]
      return names.length === 1 && names[0] === wanted ? [] : [`${source.name} exports ${names.join(', ') || 'no function'}, not ${wanted}`]
    })
    assert.deepEqual(found, [])
  })
})

/** Lines of a function without those of the functions in it: a factory of a record is as long as its table of contents. */
function ownLines(node: ts.Node, source: Source): number {
  if (!ts.isFunctionLike(node) || !('body' in node) || !node.body) return 0
  const span = (part: ts.Node) => source.tree.getLineAndCharacterOfPosition(part.getEnd()).line + 1 - lineOf(source, part)
  let inner = 0
  const look = (part: ts.Node) => {
    if (ts.isFunctionLike(part) && 'body' in part && part.body) inner += span(part)
    else ts.forEachChild(part, look)
  }
  ts.forEachChild(node.body, look)
  return span(node) + 1 - inner
}

/** True where an identifier names a member or a key instead of a global. */
function isName(node: ts.Identifier): boolean {
  const { parent } = node
  if (ts.isPropertyAccessExpression(parent) || ts.isQualifiedName(parent)) return ('name' in parent ? parent.name : parent.right) === node
  return 'name' in parent && parent.name === node
}

function exportedFunctions(source: Source): string[] {
  const names: string[] = []
  for (const statement of source.tree.statements) {
    const exported = ts.canHaveModifiers(statement) && ts.getModifiers(statement)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)
    if (!exported) continue
    if (ts.isFunctionDeclaration(statement) && statement.name) names.push(statement.name.text)
    if (ts.isVariableStatement(statement)) {
      for (const { name, initializer } of statement.declarationList.declarations) {
        let callable = false
        if (initializer) walk(initializer, (node) => (callable ||= node === initializer && ts.isFunctionLike(node)))
        if (callable && ts.isIdentifier(name)) names.push(name.text)
      }
    }
  }
  return names
}
