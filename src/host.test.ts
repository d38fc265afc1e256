import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { isDiskFull } from './host.ts'

const problemOf = (work: () => void): unknown => {
  try {
    work()
  } catch (err) {
    return err
  }
  return assert.fail('it went well')
}

describe('a disk that is full', () => {
  it('is told from any other trouble', () => {
    assert.equal(isDiskFull(problemOf(() => writeFileSync('/dev/full', 'x'))), true)
    assert.equal(isDiskFull(problemOf(() => readFileSync('/nowhere/at/all'))), false)
    assert.equal(isDiskFull(null), false)
  })
})
