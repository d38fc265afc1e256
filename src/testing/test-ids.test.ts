import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isId } from '../core/ids.ts'
import { createTestIds } from './test-ids.ts'

const idsOf = (seed: number, count = 3_000) => {
  const ids = createTestIds(seed)
  return Array.from({ length: count }, () => ids.next())
}

describe('ids for tests', () => {
  it('follow from their seed', () => {
    assert.deepEqual(idsOf(7), idsOf(7))
    const [one, other] = [idsOf(7), new Set(idsOf(8))]
    assert.deepEqual(
      one.filter((id) => other.has(id)),
      [],
    )
  })

  it('have the form of UUIDv7, and ascend', () => {
    const ids = idsOf(1)
    assert.ok(ids.every((id) => isId(id) && /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(id)))
    assert.deepEqual([...ids].sort(), ids)
    assert.equal(new Set(ids).size, ids.length)
    assert.equal(new Set(ids.map((id) => id.slice(24))).size, ids.length, 'its end is left to chance')
  })
})
