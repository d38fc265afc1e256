import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { rangesToSend } from './rewritten.ts'
import { mostSpans } from './span.ts'

const mebibyte = 1024 * 1024
const large = 100 * mebibyte
const ranges = (count: number) => Array.from({ length: count }, (_, index) => ({ start: 2 * index, end: 2 * index + 1 }))

describe('what is sent of a rewritten file', () => {
  for (const [what, changed, byteSize, receivedBytes, isPatched] of [
    [
      'the ranges of a large one',
      [
        { start: 5, end: 9 },
        { start: 9, end: 20 },
      ],
      large,
      large,
      true,
    ],
    ['all of one that is not said where it differs', null, large, large, false],
    ['all of one that differs nowhere, as it says', [], large, large, false],
    ['all of a small one', [{ start: 5, end: 9 }], mebibyte, mebibyte, false],
    ['all of one of another length', [{ start: 5, end: 9 }], large - 1, large, false],
    ['all of one of which much differs', [{ start: 0, end: 9 * mebibyte }], large, large, false],
    [
      'all of one whose ranges overlap',
      [
        { start: 5, end: 9 },
        { start: 8, end: 20 },
      ],
      large,
      large,
      false,
    ],
    ['as many ranges as may be named', ranges(mostSpans), large, large, true],
    ['all of one with a range more', ranges(mostSpans + 1), large, large, false],
    ['all of one whose ranges lie beyond it', [{ start: 5, end: large + 1 }], large, large, false],
    ['all of one whose ranges are empty', [{ start: 5, end: 5 }], large, large, false],
    ['all of one whose ranges are no numbers', [{ start: Number.NaN, end: 5 }], large, large, false],
  ] as const)
    it(`is ${what}`, () => assert.deepEqual(rangesToSend(changed, { byteSize, receivedBytes }), isPatched ? changed : null))
})
