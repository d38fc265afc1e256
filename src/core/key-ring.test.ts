import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { inspect } from 'node:util'
import { isRindleError } from './errors.ts'
import { createKeyRing, problemsOfSecrets } from './key-ring.ts'

const first = 'the first secret, which is long enough'
const second = 'the second one, which is also long enough'

describe('a key ring', () => {
  it('derives another key for every purpose and every secret, and always the same', () => {
    const ring = createKeyRing([second, first])
    const keys = [...ring.keysFor('ticket:put'), ...ring.keysFor('ticket:get')].map((key) => key.export().toString('hex'))
    assert.equal(new Set(keys).size, 4)
    assert.equal(ring.keysFor('ticket:put'), ring.keysFor('ticket:put'))
    assert.equal(createKeyRing([first]).keysFor('ticket:put')[0].export().toString('hex'), keys[1])
  })

  it('derives by HKDF-SHA256 with 32 bytes', () => {
    assert.equal(createKeyRing([first]).keysFor('x')[0].export().byteLength, 32)
  })

  it('is never printed', () => {
    const ring = createKeyRing([first])
    ring.keysFor('x')
    const hex = ring.keysFor('x')[0].export().toString('hex')
    for (const text of [
      inspect(ring, { depth: 9, showHidden: true }),
      inspect(ring.keysFor('x'), { depth: 9, showHidden: true }),
      JSON.stringify(ring),
      String(ring),
    ]) {
      assert.ok(!text.includes('first secret') && !text.includes(hex), text)
    }
  })

  it('refuses no secrets, short ones, repeated characters and what is no text, all at once, without repeating any', () => {
    assert.equal(problemsOfSecrets([]).length, 1)
    const bad = ['hunter2', first, 'ab'.repeat(40), null, 'ü'.repeat(15)]
    const problems = problemsOfSecrets(bad)
    assert.deepEqual(
      problems.map((problem) => problem.slice(0, 10)),
      ['secrets[0]', 'secrets[2]', 'secrets[3]', 'secrets[4]'],
    )
    assert.ok(!/hunter2|abab|üü/.test(problems.join()))
    assert.throws(
      () => createKeyRing(['hunter2', 'short']),
      (err) =>
        isRindleError(err) && err.code === 'options_invalid' && err.details.problems.length === 2 && !err.message.includes('hunter2'),
    )
    assert.throws(
      () => createKeyRing([]),
      (err) => isRindleError(err) && err.code === 'options_invalid',
    )
  })
})
