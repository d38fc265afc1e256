import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { errorCatalog } from './errors.ts'
import { operatorCures } from './operator-cures.ts'
import { isReleasable } from './quarantine.ts'

describe('what an operator does', () => {
  it('is said of every code that can stand on a row', () => {
    const codes = Object.keys(errorCatalog)
    const verdicts = codes.slice(codes.indexOf('upload_object_changed'))
    assert.ok(verdicts.length > 25)
    assert.deepEqual(
      verdicts.filter((code) => !Object.hasOwn(operatorCures, code)),
      [],
    )
  })

  it('is no release where that is refused', () => {
    for (const [code, cure] of Object.entries(operatorCures)) if (!isReleasable(code)) assert.doesNotMatch(cure, /`rindle release`/, code)
  })
})
