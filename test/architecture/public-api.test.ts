import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { listPath, publicNames } from './public-names.ts'

describe('the public names', () => {
  it('are those of public-api.json; npm run public-api writes it anew', () => {
    assert.deepEqual(publicNames(), JSON.parse(readFileSync(listPath, 'utf8')))
  })
})
