import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { oneLine, problemOf } from './app-code.ts'
import { RindleError } from './errors.ts'

describe('what foreign code says', () => {
  for (const [thrown, said] of [
    [new TypeError('it broke'), 'it broke'],
    [new TypeError('one\nline\u0000 of\u001b[31m \u202emany\ud800'), 'one line  of [31m  many'],
    [new TypeError(''), 'it failed without a word'],
    ['text', 'text'],
    [null, 'it failed without a word'],
    [{ message: 'not an error' }, 'it failed without a word'],
    [new RindleError('scanner_unavailable', { scanner: 'clamav', problem: 'refused' }), 'refused'],
  ] as const)
    it(`is told as ${JSON.stringify(said)}`, () => assert.equal(problemOf(thrown), said))

  it('is cut after two hundred characters, never within one', () => {
    const cut = oneLine('😀'.repeat(1000))
    assert.equal([...cut].length, 200)
    assert.ok(cut.endsWith('😀…') && cut.isWellFormed())
  })
})
