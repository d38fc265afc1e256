import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import ts from 'typescript'
import { lineOf, readSources, root, type Source, walk } from './sources.ts'

const levels = new Set(['debug', 'info', 'warn', 'error'])

/** What is handed to a logger as the first argument; null for any other call. */
function loggedFields(node: ts.Node, source: Source): ts.Expression | null {
  if (!ts.isCallExpression(node)) return null
  const { expression } = node
  const isLevel = ts.isPropertyAccessExpression(expression) ? levels.has(expression.name.text) : ts.isElementAccessExpression(expression)
  if (!isLevel || !('expression' in expression)) return null
  const of = (expression as ts.PropertyAccessExpression | ts.ElementAccessExpression).expression.getText(source.tree)
  return /(^|\.)logger$/i.test(of) ? (node.arguments[0] ?? null) : null
}

/** The name under `event`; null where there is none, or none that can be read off. */
function eventIn(fields: ts.Expression): string | null {
  if (!ts.isObjectLiteralExpression(fields)) return null
  for (const property of fields.properties)
    if (ts.isPropertyAssignment(property) && property.name.getText() === 'event' && ts.isStringLiteralLike(property.initializer))
      return property.initializer.text
  return null
}

describe('every line of the log', () => {
  const lines = readSources()
    .filter(({ isTest }) => !isTest)
    .flatMap((source) => {
      const found: { readonly place: string; readonly event: string | null }[] = []
      walk(source.tree, (node) => {
        const fields = loggedFields(node, source)
        if (fields) found.push({ place: `${source.name}:${lineOf(source, node)}`, event: eventIn(fields) })
      })
      return found
    })

  it('names its event', () => {
    assert.ok(lines.length > 30, `${lines.length} lines`)
    assert.deepEqual(
      lines.filter(({ event }) => event === null).map(({ place }) => place),
      [],
    )
  })

  it('is in the guide for operators with what to do about it, and no other is', () => {
    const guide = readFileSync(join(root, 'docs/guides/operations.md'), 'utf8')
    const section = /\n## What the log says\n([^]*?)(?:\n## |$)/.exec(guide)?.[1] ?? ''
    const told = [...section.matchAll(/^\| `([a-z_]+)` \| \S.* \| \S.* \|$/gm)].map(([, name]) => name)
    assert.deepEqual(told, [...new Set(lines.map(({ event }) => event))].sort())
  })
})
