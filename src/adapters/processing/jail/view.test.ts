import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { packagesBelow, packagesOfChild, viewFor } from './view.ts'

describe('what a sandbox shows', () => {
  let folder = ''
  const add = (place: string, dependencies: Record<string, string> = {}): void => {
    mkdirSync(join(folder, place), { recursive: true })
    writeFileSync(join(folder, place, 'package.json'), JSON.stringify({ dependencies }))
  }
  const link = (at: string, to: string): void => {
    mkdirSync(dirname(join(folder, at)), { recursive: true })
    symlinkSync(join(folder, to), join(folder, at))
  }
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'rindle-view-'))
  })
  after(() => rmSync(folder, { recursive: true }))

  const seen = (place: string, names: readonly string[]) => {
    const { places, links } = packagesBelow(join(folder, place), names)
    const short = (path: string): string => path.slice(folder.length + 1)
    return { places: places.map(short), links: links.map(({ at, to }) => `${short(at)} -> ${short(to)}`) }
  }

  it('is packages beside and below each other, with what they need, and nothing else', () => {
    add('flat/node_modules/ours')
    add('flat/node_modules/a', { b: '1', '@scope/c': '1', absent: '1' })
    add('flat/node_modules/a/node_modules/b', { d: '1' })
    add('flat/node_modules/b')
    add('flat/node_modules/@scope/c', { a: '1' })
    add('flat/node_modules/d')
    add('flat/node_modules/secret')
    assert.deepEqual(seen('flat/node_modules/ours', ['a']), {
      places: ['flat/node_modules/a', 'flat/node_modules/a/node_modules/b', 'flat/node_modules/d', 'flat/node_modules/@scope/c'],
      links: [],
    })
  })

  it('is the links to where packages really are, also of a scope and of a whole folder of packages', () => {
    add('store/ours@1/node_modules/ours')
    add('store/a@1/node_modules/a', { b: '1', '@scope/c': '1' })
    add('store/b@1/node_modules/b')
    add('elsewhere/@scope/c')
    link('store/ours@1/node_modules/a', 'store/a@1/node_modules/a')
    link('store/a@1/node_modules/b', 'store/b@1/node_modules/b')
    link('store/a@1/node_modules/@scope', 'elsewhere/@scope')
    assert.deepEqual(seen('store/ours@1/node_modules/ours', ['a']), {
      places: ['store/a@1/node_modules/a', 'store/b@1/node_modules/b', 'elsewhere/@scope/c'],
      links: [
        'store/ours@1/node_modules/a -> store/a@1/node_modules/a',
        'store/a@1/node_modules/b -> store/b@1/node_modules/b',
        'store/a@1/node_modules/@scope -> elsewhere/@scope',
      ],
    })
    add('app/ours')
    link('app/node_modules', 'flat/node_modules')
    assert.deepEqual(seen('app/ours', ['d']).links, ['app/node_modules -> flat/node_modules'])
  })

  it('is the code of the child and its packages, but not the project around them', () => {
    const entry = import.meta.resolve('#decoder')
    const { places } = viewFor(entry, process.execPath)
    const root = fileURLToPath(new URL('../../../../', entry))
    const own = places.filter((path) => path.startsWith(root)).map((path) => path.slice(root.length))
    assert.ok(own.includes('src') && own.includes('package.json') && own.includes('node_modules/sharp'), own.join(' '))
    assert.deepEqual(
      own.filter((path) => !/^(src|package\.json|node_modules\/.+)$/.test(path)),
      [],
    )
    assert.equal(own.includes('node_modules/pg'), false)
  })

  it('leaves out no package that code in a child imports', () => {
    const seen = new Set<string>()
    const packages = new Set<string>()
    const look = (path: string): void => {
      if (seen.has(path)) return
      seen.add(path)
      const text = readFileSync(path, 'utf8')
      for (const [, specifier = ''] of text.matchAll(/(?:^import (?!type )[^;]*?from |^export [^;]*?from |\bimport\()'([^']+)'/gms)) {
        if (specifier.startsWith('.')) look(join(dirname(path), specifier))
        else if (!specifier.startsWith('node:') && !builtinModules.includes(specifier))
          packages.add(specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/'))
      }
    }
    look(fileURLToPath(import.meta.resolve('#decoder')))
    assert.ok(seen.size > 15 && packages.has('sharp') && packages.has('thumbhash'), [...packages].join(' '))
    assert.deepEqual(
      [...packages].filter((name) => !packagesOfChild.includes(name)),
      [],
    )
  })
})
