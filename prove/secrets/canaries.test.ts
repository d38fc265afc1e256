import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import { describe, it } from 'node:test'
import { createRandom } from '../harness.ts'
import { createCanaries, formsOfSecret } from './canaries.ts'

describe('the canaries of the proof of secrets', () => {
  it('are found in every encoding, and by name', () => {
    const canaries = createCanaries(createRandom(1))
    const value = canaries.plant('a password')
    for (const form of formsOfSecret(value)) assert.deepEqual(canaries.seenIn(`before ${form} after`, 'thrown'), ['a password'])
    assert.deepEqual(canaries.seenIn(JSON.stringify(Buffer.from(value)), 'history'), ['a password'])
    assert.deepEqual(canaries.seenIn(inspect({ deep: { value } }, { depth: 9 }), 'published'), ['a password'])
    assert.deepEqual(canaries.seenIn('nothing of the kind', 'told'), [])
  })

  it('may stand in rows where they are only not to be told', () => {
    const canaries = createCanaries(createRandom(2))
    const value = canaries.plant('a file name', 'told')
    for (const place of ['stored', 'thrown', 'history'] as const) assert.deepEqual(canaries.seenIn(value, place), [])
    for (const place of ['told', 'published'] as const) assert.deepEqual(canaries.seenIn(value, place), ['a file name'])
  })

  it('may stand in the history and what is published of it where they are recorded on purpose, and nowhere else', () => {
    const canaries = createCanaries(createRandom(4))
    const value = canaries.plant('who did it', 'recorded')
    for (const place of ['history', 'published'] as const) assert.deepEqual(canaries.seenIn(value, place), [])
    for (const place of ['told', 'thrown', 'stored'] as const) assert.deepEqual(canaries.seenIn(value, place), ['who did it'])
  })

  it('refuses what is so short that it stands everywhere', () => {
    assert.throws(() => createCanaries(createRandom(3)).add('short', 'abc'))
  })
})
