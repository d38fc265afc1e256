import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Proof } from './harness.ts'
import { type ProofEntry, withTable } from './record.ts'

const proof: Proof = {
  name: 'doors',
  means: 'no door stands open',
  unit: 'doors',
  amount: { ci: 1, full: 2000 },
  run: async () => ({ runs: 1 }),
}
const entry: ProofEntry = {
  ...{ size: 'full', runs: 2000, violations: 0, seconds: 61, seed: 7, commit: 'abc', day: '2026-01-01', node: '24.0.0', cpus: 2 },
  figures: { slowestMs: 1400 },
}
const text = 'before\n<!-- proofs: printed from PROOF.json by npm run docs -->\nold\n<!-- end of proofs -->\nafter\n'

describe('the table of proofs in the README', () => {
  it('says what the last run gave, between its marks, and leaves the rest', () => {
    const printed = withTable(text, [proof], { doors: entry })
    assert.match(printed, /^before\n<!--/)
    assert.match(printed, /\| `doors` \| No door stands open \| 2,000 doors, 0 violations, slowest ms 1,400, 61 s \|/)
    assert.doesNotMatch(printed, /\nold\n/)
    assert.match(printed, /-->\nafter\n$/)
  })

  it('says where a proof was not run in full, or only to a tenth', () => {
    assert.match(withTable(text, [proof], {}), /not run in full yet/)
    assert.match(withTable(text, [proof], { doors: { ...entry, size: 'tenth' } }), /a tenth: 2,000 doors/)
  })

  it('is printed once and then stays as it is', () => {
    const once = withTable(text, [proof], { doors: entry })
    assert.equal(withTable(once, [proof], { doors: entry }), once)
  })

  it('is not printed where its marks are gone', () => {
    assert.throws(() => withTable('nothing here', [proof], {}), /lost its marks/)
  })
})
