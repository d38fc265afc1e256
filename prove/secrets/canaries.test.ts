import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import { describe, it } from 'node:test'
import { createRandom } from '../harness.ts'
import { createCanaries, formsOfSecret } from './canaries.ts'

describe('the canaries of the proof of secrets', () => {
  it('are found in every encoding, and by name', () => {
    const canaries = createCanaries(createRandom(1))
    const value = canaries.plant('a password')
    for (const form of formsOfSecret(value)) assert.deepEqual(canaries.seenIn(`before ${form} after`, 'kept'), ['a password'])
    assert.deepEqual(canaries.seenIn(JSON.stringify(Buffer.from(value)), 'kept'), ['a password'])
    assert.deepEqual(canaries.seenIn(inspect({ deep: { value } }, { depth: 9 }), 'told'), ['a password'])
    assert.deepEqual(canaries.seenIn('nothing of the kind', 'told'), [])
  })

  it('may stand in rows where they are only not to be told', () => {
    const canaries = createCanaries(createRandom(2))
    const value = canaries.plant('a file name', 'told')
    assert.deepEqual(canaries.seenIn(value, 'kept'), [])
    assert.deepEqual(canaries.seenIn(value, 'told'), ['a file name'])
  })

  it('refuses what is so short that it stands everywhere', () => {
    assert.throws(() => createCanaries(createRandom(3)).add('short', 'abc'))
  })
})
