import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { scenarios } from './table.ts'

describe('the scenarios', () => {
  it('have each a name of its own and say what they are about', () => {
    const names = scenarios.map(({ name }) => name)
    assert.equal(new Set(names).size, names.length)
    for (const { name, means, calls } of scenarios) {
      assert.match(name, /^[a-z]+(-[a-z]+)*$/)
      assert.match(means, /^[A-Z].{20,}\.$/)
      assert.ok(calls.length > 0, name)
    }
    assert.ok(names.length >= 25)
  })
})
