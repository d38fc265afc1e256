import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { bareEtag } from './etag.ts'

describe('an etag without its dress', () => {
  for (const dressed of ['abc-2', '"abc-2"', 'W/"abc-2"', ' "abc-2"\n'])
    it(`is abc-2 in ${JSON.stringify(dressed)}`, () => {
      assert.equal(bareEtag(dressed), 'abc-2')
    })

  it('is empty where there is none', () => {
    assert.equal(bareEtag(undefined), '')
  })
})
