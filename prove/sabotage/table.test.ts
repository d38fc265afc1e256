import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { brokenBy } from './sabotage.ts'
import { sabotages } from './table.ts'

const textOf = (file: string): string => readFileSync(fileURLToPath(new URL(`../../${file}`, import.meta.url)), 'utf8')

/** The name of a proof as its own file has it: to import them all would take seconds. */
const isProof = (name: string): boolean =>
  textOf('prove/table.ts').includes(`from './${name}.ts'`) && textOf(`prove/${name}.ts`).includes(`name: '${name}'`)

describe('the sabotages', () => {
  it('are more than forty, over every floor, each with a name of its own', () => {
    const names = sabotages.map(({ name }) => name)
    assert.ok(names.length >= 45)
    assert.equal(new Set(names).size, names.length)
    const floors = ['core', 'database', 'adapters/storage', 'adapters/processing', 'adapters/scanners', 'flows', 'doors/http', 'doors/cli']
    for (const floor of floors)
      assert.ok(
        sabotages.some(({ file }) => file.startsWith(`src/${floor}/`)),
        floor,
      )
  })

  it('cannot be done, and say so, where the text they break is gone or stands there twice', () => {
    const [{ find, name } = { find: '', name: '' }] = sabotages
    for (const [text, times] of [
      ['', 0],
      [`${find}\n${find}`, 2],
    ] as const)
      assert.throws(
        () => sabotages[0] && brokenBy(sabotages[0], () => text),
        new RegExp(`has ${times} times, and not once, what ${name} breaks`),
      )
  })

  for (const sabotage of sabotages)
    it(`can be done, and has what is to notice: ${sabotage.name}`, () => {
      const broken = brokenBy(sabotage, textOf)
      for (const [file, text] of broken) assert.notEqual(text, textOf(file))
      // What does not parse is noticed by anything.
      for (const [file, text] of broken) {
        const { diagnostics = [] } = ts.transpileModule(text, { fileName: file, reportDiagnostics: true })
        assert.deepEqual(
          diagnostics.map(({ messageText }) => messageText),
          [],
          file,
        )
      }
      const { red } = sabotage
      if ('proof' in red) return assert.ok(isProof(red.proof), `there is no proof ${red.proof}`)
      const { test, title = '' } = red
      assert.ok(existsSync(fileURLToPath(new URL(`../../${test}`, import.meta.url))), test)
      assert.ok(textOf(test).replaceAll("\\'", "'").includes(title), `${test} has no case with ${title}`)
    })
})
