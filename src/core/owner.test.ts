import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isRindleError } from './errors.ts'
import { ownerOf } from './owner.ts'

describe('an owner', () => {
  it('has one spelling, whatever type its id has', () => {
    const uuid = '018F4E2A-7B6C-7C1D-9E2F-3A4B5C6D7E8F'
    const cases = [
      ['7', '7'],
      [7, '7'],
      [7n, '7'],
      [-0, '0'],
      [9_007_199_254_740_993n, '9007199254740993'],
      ['Anna/München', 'Anna/München'],
      ['ABC', 'ABC'],
      [uuid, uuid.toLowerCase()],
    ] as const
    for (const [id, text] of cases) assert.deepEqual(ownerOf({ type: 'User', id }), { type: 'User', id: text })
  })

  it('is refused where two could be mistaken for one another, and says what is wrong', () => {
    const cases = [
      [{ type: '', id: 1 }, 'type is empty'],
      [{ type: 'User', id: '' }, 'id is empty'],
      [{ type: 'User', id: 2 ** 53 }, '2^53'],
      [{ type: 'User', id: 1.5 }, 'whole number'],
      [{ type: 'User', id: Number.NaN }, 'whole number'],
      [{ type: 'User', id: undefined }, 'id is undefined'],
      [{ type: 'User', id: null }, 'id is null'],
      [{ type: 'User', id: { id: 1 } }, 'id is object'],
      [{ type: 7, id: 1 }, 'type is number'],
      [{ type: 'User', id: 'a\u0000b' }, 'control character'],
      [{ type: 'User', id: '\ud800' }, 'well-formed'],
      [{ type: 'User', id: 'x'.repeat(256) }, '255'],
      [null, 'null was given'],
      ['User', 'string was given'],
    ] as const
    for (const [owner, words] of cases) {
      assert.throws(
        // @ts-expect-error what plain JavaScript may pass
        () => ownerOf(owner),
        (err) => isRindleError(err) && err.code === 'owner_invalid' && err.message.includes(words),
        JSON.stringify(owner),
      )
    }
  })
})
