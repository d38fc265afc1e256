import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { namesEtag, rangeOf, rangeStands } from './byte-range.ts'

describe('a Range header over 16 bytes', () => {
  const cases: readonly [string | null, ReturnType<typeof rangeOf>][] = [
    ['bytes=4-7', { start: 4, end: 7 }],
    ['bytes=0-0', { start: 0, end: 0 }],
    ['bytes=10-', { start: 10, end: 15 }],
    ['bytes=-4', { start: 12, end: 15 }],
    ['bytes=-99', { start: 0, end: 15 }],
    ['bytes=4-99', { start: 4, end: 15 }],
    ['Bytes = 4 - 7', { start: 4, end: 7 }],
    ['bytes=16-', 'unsatisfiable'],
    ['bytes=16-20', 'unsatisfiable'],
    ['bytes=-0', 'unsatisfiable'],
    ['bytes=99999999999999999999-', 'unsatisfiable'],
    [null, null],
    ['', null],
    ['bytes=', null],
    ['bytes=-', null],
    ['bytes=7-4', null],
    ['bytes=0-1,3-4', null],
    ['items=0-1', null],
    ['bytes=a-b', null],
    ['bytes=0x1-2', null],
    ['bytes=--4', null],
  ]
  for (const [header, expected] of cases)
    it(`${header} is ${JSON.stringify(expected)}`, () => assert.deepEqual(rangeOf(header, 16), expected))

  it('can be satisfied by nothing when there are no bytes', () => {
    assert.equal(rangeOf('bytes=0-', 0), 'unsatisfiable')
    assert.equal(rangeOf('bytes=-1', 0), 'unsatisfiable')
  })
})

describe('validators', () => {
  it('are found in lists, weak ones too', () => {
    for (const list of ['"a"', '"b", "a"', 'W/"a"', '*', ' "a" ']) assert.ok(namesEtag(list, '"a"'), list)
    for (const list of [null, '', '"b"', 'a']) assert.ok(!namesEtag(list, '"a"'), String(list))
  })

  it('let a range stand only when they are the very same', () => {
    assert.ok(rangeStands(null, '"a"') && rangeStands('"a"', '"a"'))
    for (const other of ['W/"a"', '"b"', 'Wed, 21 Oct 2026 07:28:00 GMT']) assert.ok(!rangeStands(other, '"a"'))
  })
})
