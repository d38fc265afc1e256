import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Proof } from './harness.ts'
import { type ProofEntry, withTable } from './record.ts'

const proof: Proof = {
  name: 'doors',
  means: 'no door stands open',
  unit: 'doors',
  amount: { ci: 1, full: 2000 },
  shows: { slowestMs: 'ms at most' },
  run: async () => ({ runs: 1 }),
}
const entry: ProofEntry = {
  ...{ size: 'full', runs: 2000, violations: 0, seconds: 61, seed: 7, commit: 'abc', day: '2026-01-01', node: '24.0.0', cpus: 2 },
  figures: { slowestMs: 1400, nobodyCares: 3 },
}
const text = 'before\n<!-- proofs: printed from PROOF.json by npm run docs -->\nold\n<!-- end of proofs -->\nafter\n'

describe('the table of proofs in the README', () => {
  it('says what the last run gave, between its marks, and leaves the rest', () => {
    const printed = withTable(text, [proof], { doors: entry })
    assert.match(printed, /^before\n<!--/)
    assert.match(printed, /\| `doors` \| No door stands open \| 2,000 doors, 1,400 ms at most, 0 violations, 61 s \(2026-01-01, abc\) \|/)
    assert.doesNotMatch(printed, /\nold\n/)
    assert.match(printed, /-->\nafter\n$/)
  })

  it('says where a proof was not run in full, or only to a tenth', () => {
    assert.match(withTable(text, [proof], {}), /none on record/)
    assert.match(withTable(text, [proof], { doors: { ...entry, size: 'tenth' } }), /a tenth: 2,000 doors/)
  })

  it('says loudly where a promise was broken, or nothing was tried', () => {
    assert.match(withTable(text, [proof], { doors: { ...entry, violations: 1 } }), /\*\*BROKEN\*\*: 2,000 doors/)
    assert.match(withTable(text, [proof], { doors: { ...entry, runs: 0 } }), /\*\*BROKEN\*\*: 0 doors/)
    assert.doesNotMatch(withTable(text, [proof], { doors: entry }), /BROKEN/)
  })

  it('is printed once and then stays as it is', () => {
    const once = withTable(text, [proof], { doors: entry })
    assert.equal(withTable(once, [proof], { doors: entry }), once)
  })

  it('is not printed where its marks are gone', () => {
    assert.throws(() => withTable('nothing here', [proof], {}), /lost its marks/)
  })
})
